// Drives the service with @alicloud/log. argv: endpoint (name:port), key, secret, token; NODE_PATH finds the package.
'use strict';
const assert = require('assert');
const dns = require('dns');
// every name is the loopback: the client always puts the project before the endpoint
dns.lookup = (name, options, done) => {
  if (typeof options === 'function') { done = options; options = {}; }
  if (options.all) return done(null, [{ address: '127.0.0.1', family: 4 }]);
  return done(null, '127.0.0.1', 4);
};
const Log = require('@alicloud/log');

const [endpoint, accessKeyId, accessKeySecret, securityToken] = process.argv.slice(2);

async function main() {
  const client = new Log({ endpoint, accessKeyId, accessKeySecret, securityToken });
  const project = 'node-project', store = 'node-store';
  await client.createProject(project, { description: 'from node' });
  assert.equal((await client.getProject(project)).description, 'from node');
  await client.createLogStore(project, store, { ttl: 7, shardCount: 1 });
  assert.equal((await client.getLogStore(project, store)).ttl, 7);
  await client.updateLogStore(project, store, { ttl: 9, shardCount: 1 });
  assert.deepEqual((await client.listLogStore(project)).logstores, [store]);
  await client.createIndex(project, store, { ttl: 7, keys: {}, line: { caseSensitive: false, token: [' '] } });
  assert.deepEqual((await client.getIndexConfig(project, store)).line.token, [' ']);
  const at = Math.floor(Date.now() / 1000) - 60;
  await client.postLogStoreLogs(project, store, {
    topic: 'svc', source: 'node', tags: [{ host: 'web' }],
    logs: [
      { timestamp: at, timestampNsPart: 5, content: { message: 'hello world', level: 'info' } },
      { timestamp: at + 1, content: { message: 'second line', level: 'error' } },
    ],
  });
  const range = [new Date((at - 10) * 1000), new Date((at + 10) * 1000)];
  const all = await client.getLogs(project, store, ...range);
  assert.deepEqual(all.map((l) => l.message), ['hello world', 'second line']);
  assert.equal(all[0].__topic__, 'svc');
  assert.equal(all[0]['__tag__:host'], 'web');
  const some = await client.getLogs(project, store, ...range, { query: 'level:error and "second line"', topic: 'svc', line: 10, offset: 0, reverse: true });
  assert.deepEqual(some.map((l) => l.message), ['second line']);
  const bars = await client.getHistograms(project, store, ...range, { query: '' });
  assert.equal(bars.reduce((n, b) => n + b.count, 0), 2);
  await assert.rejects(client.getLogStore(project, 'nope'), (e) => e.code === 'LogStoreNotExist' && e.requestid.length === 24);
  await client.deleteIndex(project, store);
  await client.deleteLogStore(project, store);
  await client.deleteProject(project);
}

main().then(() => console.log('ok'), (e) => { console.error(e); process.exit(1); });
