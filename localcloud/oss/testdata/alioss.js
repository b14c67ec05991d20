// Drives the server with ali-oss. Arguments: the URL of the server, a bucket. Prints "ok" or fails with the reason.
'use strict';
const assert = require('assert');
const OSS = require('ali-oss');

const [, , url, bucket] = process.argv;
const port = new URL(url).port;
const own = { accessKeyId: 'AK', accessKeySecret: 'SK' };
const temporary = { accessKeyId: 'STS.AK', accessKeySecret: 'STS-SK', stsToken: 'the-token', refreshSTSTokenInterval: 1e9 };
const ip = { endpoint: `http://127.0.0.1:${port}`, region: 'oss-cn-shanghai' };
const sld = { endpoint: `http://localhost:${port}`, sldEnable: true, region: 'oss-cn-shanghai' };
const keys = ['a b+c', 'a/b', 'a', '100%2Fliteral', '图片/猫.jpg', 'k'.repeat(1000)];

async function objects(c) {
  for (const key of keys) {
    const put = await c.put(key, Buffer.from(`body of ${key}`), { meta: { a: 'b' }, mime: 'text/x' });
    assert.strictEqual(put.res.status, 200);
    const got = await c.get(key);
    assert.strictEqual(got.content.toString(), `body of ${key}`);
    const head = await c.head(key);
    assert.strictEqual(head.meta.a, 'b');
    assert.strictEqual(head.res.headers['content-type'], 'text/x');
    await c.copy('copied', key);
    assert.strictEqual((await c.get('copied')).content.toString(), `body of ${key}`);
  }
  await c.delete('copied');
  const part = await c.get('a', { headers: { Range: 'bytes=0-3' } });
  assert.strictEqual(part.content.toString(), 'body');
  await assert.rejects(c.get('absent'), { code: 'NoSuchKey', status: 404 });
  await assert.rejects(c.head('absent'), { code: 'NoSuchKey', status: 404 });
  await assert.rejects(c.get('a', { headers: { 'If-Match': '"00"' } }), { code: 'PreconditionFailed', status: 412 });
}

async function lists(c) {
  const v1 = await c.list({ 'max-keys': 1000 });
  assert.deepStrictEqual(v1.objects.map((o) => o.name).sort(), [...keys].sort());
  const found = [];
  let token;
  do {
    const page = await c.listV2({ 'max-keys': 2, 'continuation-token': token });
    found.push(...(page.objects || []).map((o) => o.name));
    token = page.nextContinuationToken;
  } while (token);
  assert.deepStrictEqual(found.sort(), [...keys].sort());
  const dirs = await c.list({ delimiter: '/' });
  assert.deepStrictEqual(dirs.prefixes, ['a/', '图片/']);
}

async function transfers(c) {
  const data = Buffer.alloc(350 * 1024, 'x');
  const up = await c.multipartUpload('big', data, { partSize: 100 * 1024, parallel: 2 });
  assert.ok(/-4"?$/.test(up.etag), up.etag);
  assert.ok((await c.get('big')).content.equals(data));
  const stream = await c.getStream('big');
  let size = 0;
  for await (const chunk of stream.stream) size += chunk.length;
  assert.strictEqual(size, data.length);
  await c.multipartUploadCopy('big2', { sourceKey: 'big', sourceBucketName: bucket }, { partSize: 100 * 1024 });
  assert.ok((await c.get('big2')).content.equals(data));
  await c.append('log', Buffer.from('one,'));
  await c.append('log', Buffer.from('two'), { position: '4' });
  assert.strictEqual((await c.get('log')).content.toString(), 'one,two');
  const gone = await c.deleteMulti([...keys, 'big', 'big2', 'log']);
  assert.strictEqual(gone.deleted.length, keys.length + 3);
  assert.strictEqual(((await c.list()).objects || []).length, 0);
}

async function urls(c, v4) {
  const key = 'dir/a b+c';
  await c.put(key, Buffer.from('by url'));
  const url = v4 ? await c.signatureUrlV4('GET', 60, {}, key) : c.signatureUrl(key, { expires: 60 });
  const got = await fetch(url);
  assert.strictEqual(await got.text(), 'by url');
  await c.delete(key);
}

async function main() {
  for (const [name, endpoint] of Object.entries({ ip, sld })) {
    for (const [who, keys] of Object.entries({ own, temporary })) {
      for (const v4 of [false, true]) {
        try {
          const c = new OSS({ ...endpoint, ...keys, bucket, authorizationV4: v4 });
          await objects(c);
          await lists(c);
          await transfers(c);
          if (name === 'sld') await urls(c, v4); // the client signs no usable URL for an IP address
        } catch (e) {
          e.message = `${name}, ${who}, ${v4 ? 'V4' : 'V1'}: ${e.message}`;
          throw e;
        }
      }
    }
  }
  console.log('ok');
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
