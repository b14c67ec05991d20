'use strict';
// Drives a whole daemon through @alicloud/fc2 and ali-oss: deploys a function and a trigger, puts an object and reads what
// the function made of it. Exits 0 if all of it holds.

const assert = require('assert').strict;
const FC = require('@alicloud/fc2');
const OSS = require('ali-oss');

const { API, OSS_ENDPOINT, ACCOUNT, KEY, SECRET, CODE_FILE } = process.env;
const code = require('fs').readFileSync(CODE_FILE).toString('base64');
const region = 'cn-shanghai';
const role = (name) => `acs:ram::${ACCOUNT}:role/${name}`;
const fc = new FC(ACCOUNT, { accessKeyID: KEY, accessKeySecret: SECRET, region, endpoint: API });
const oss = new OSS({ accessKeyId: KEY, accessKeySecret: SECRET, endpoint: OSS_ENDPOINT, bucket: 'node-photos', cname: false });

async function refused(promise, code) {
  await assert.rejects(promise, (err) => err.code === code);
}

async function until(what, f) {
  for (const end = Date.now() + 20000; Date.now() < end; await new Promise((r) => setTimeout(r, 50))) {
    const got = await f().catch((err) => { if (err.status !== 404) throw err; });
    if (got) {
      return got;
    }
  }
  throw new Error(`it did not happen in time: ${what}`);
}

async function main() {
  await oss.putBucket('node-photos');
  await fc.createService('node-svc', { role: role('AliyunFCDefaultRole'), logConfig: { project: 'e2e-logs', logstore: 'functions' } });
  await fc.createFunction('node-svc', {
    functionName: 'shout', handler: 'index.handler', runtime: 'nodejs8', memorySize: 512, timeout: 20, code: { zipFile: code }
  });
  await fc.createTrigger('node-svc', 'shout', {
    triggerName: 'put', triggerType: 'oss', sourceArn: `acs:oss:${region}:${ACCOUNT}:node-photos`,
    invocationRole: role('AliyunOSSEventNotificationRole'),
    triggerConfig: { events: ['oss:ObjectCreated:PutObject'], filter: { key: { prefix: 'in/', suffix: '' } } }
  });
  await oss.put('in/a b', Buffer.from('quiet'));
  const copy = await until('the copy', () => oss.get('out/in/a b'));
  assert.equal(copy.content.toString(), 'QUIET');

  const event = { events: [{ region, oss: { bucket: { name: 'node-photos' }, object: { key: 'in/a b' } } }] };
  const called = await fc.invokeFunction('node-svc', 'shout', JSON.stringify(event), { 'x-fc-log-type': 'Tail' });
  assert.equal(called.data, 'done');
  assert.match(Buffer.from(called.headers['x-fc-log-result'], 'base64').toString(), /copied in\/a b/);
  event.events[0].oss.object.key = 'missing';
  const failed = await fc.invokeFunction('node-svc', 'shout', JSON.stringify(event));
  assert.equal(failed.headers['x-fc-error-type'], 'HandledInvocationError');
  assert.equal(failed.data.errorType, 'NoSuchKeyError');
  const later = await fc.invokeFunction('node-svc', 'shout', JSON.stringify(event), { 'x-fc-invocation-type': 'Async' });
  assert.equal(later.data, '');

  // As fun sends it: upper camel, an empty destination, a qualifier.
  const destination = { destination: `acs:log:${region}:${ACCOUNT}:project/e2e-logs/logstore/ends` };
  await fc.putFunctionAsyncConfig('node-svc', 'shout', 'LATEST', {
    DestinationConfig: { OnSuccess: destination, OnFailure: { Destination: '' } }, MaxAsyncRetryAttempts: 1, maxAsyncEventAgeInSeconds: 60
  });
  const config = (await fc.getFunctionAsyncConfig('node-svc', 'shout', 'LATEST')).data;
  assert.deepEqual(config.destinationConfig, { onSuccess: destination });
  assert.equal(config.maxAsyncRetryAttempts, 1);
  assert.equal((await fc.listFunctionAsyncConfigs('node-svc', 'shout')).data.configs.length, 1);
  await fc.deleteFunctionAsyncConfig('node-svc', 'shout', 'LATEST');
  await refused(fc.getFunctionAsyncConfig('node-svc', 'shout', 'LATEST'), 'AsyncConfigNotExists');

  const listed = await oss.listV2({ prefix: '', delimiter: '/' });
  assert.deepEqual(listed.prefixes, ['in/', 'out/']);
  await oss.multipartUpload('big', Buffer.alloc(300 * 1024, 'x'), { partSize: 100 * 1024 });
  assert.equal((await oss.head('big')).res.headers['content-length'], String(300 * 1024));
  await oss.deleteMulti(['big', 'in/a b']);
  await assert.rejects(oss.get('big'), (err) => err.code === 'NoSuchKey');

  await refused(fc.deleteFunction('node-svc', 'shout'), 'FunctionNotEmpty');
  await fc.deleteTrigger('node-svc', 'shout', 'put');
  await fc.deleteFunction('node-svc', 'shout');
  await fc.deleteService('node-svc');
  await refused(fc.getService('node-svc'), 'ServiceNotFound');
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});
