'use strict';
// Drives every operation through @alicloud/fc2 against FCD_ENDPOINT. Exits 0 if all of it holds.

const assert = require('assert').strict;
const http = require('http');
const FC = require('@alicloud/fc2');

const { FCD_ENDPOINT, FCD_KEY, FCD_SECRET, FCD_ZIP, FCD_ROLE, FCD_BUCKET } = process.env;

const client = (key, secret) => new FC('123456', {
  accessKeyID: key, accessKeySecret: secret, region: 'cn-shanghai', endpoint: FCD_ENDPOINT
});
const fc = client(FCD_KEY, FCD_SECRET);

async function refused(promise, code, status, text = '') {
  await assert.rejects(promise, (err) => {
    assert.equal(err.code, code);
    assert.equal(err.name, `FC${code}Error`);
    assert.match(err.message, new RegExp(`failed with ${status}\\. requestid: .{36}, message: .*${text}`));
    return true;
  });
}

const hasID = (headers) => assert.match(headers['x-fc-request-id'], /^.{36}$/);

const get = (url) => new Promise((resolve, reject) => {
  http.get(url, (res) => {
    const parts = [];
    res.on('data', (d) => parts.push(d));
    res.on('end', () => resolve({ headers: res.headers, status: res.statusCode, body: Buffer.concat(parts) }));
  }).on('error', reject);
});

const tests = {
  async 'services are created, read, changed and deleted'() {
    const made = await fc.createService('svc', { description: 'd', role: FCD_ROLE, internetAccess: false });
    hasID(made.headers);
    assert.equal(made.data.serviceName, 'svc');
    assert.equal(made.data.role, FCD_ROLE);
    assert.equal(made.data.internetAccess, false);
    assert.ok(made.headers.etag && made.data.serviceId && made.data.createdTime && made.data.lastModifiedTime);
    await refused(fc.createService('svc'), 'ServiceAlreadyExists', 409);
    await refused(fc.createService('a.b'), 'InvalidArgument', 400, 'ServiceName is set to an invalid value');

    const changed = await fc.updateService('svc', { description: 'new' }, { 'if-match': made.headers.etag });
    assert.equal(changed.data.description, 'new');
    assert.equal(changed.data.role, FCD_ROLE);
    assert.notEqual(changed.headers.etag, made.headers.etag);
    await refused(fc.updateService('svc', { description: 'x' }, { 'if-match': made.headers.etag }), 'PreconditionFailed', 412);

    const read = await fc.getService('svc');
    assert.deepEqual(read.data, changed.data);
    assert.equal(read.headers.etag, changed.headers.etag);
    assert.deepEqual((await fc.getService('svc', {}, 'LATEST')).data, changed.data);
    await refused(fc.getService('svc', {}, '7'), 'VersionNotFound', 404);
    await refused(fc.getService('svc', {}, 'prod'), 'AliasNotFound', 404);

    const gone = await fc.deleteService('svc');
    assert.equal(gone.data, '');
    hasID(gone.headers);
    await refused(fc.getService('svc'), 'ServiceNotFound', 404, "service 'svc' does not exist");
    await refused(fc.deleteService('svc'), 'ServiceNotFound', 404);
  },

  async 'lists come in pages'() {
    for (let i = 0; i < 5; i++) {
      await fc.createService(`page-${i}`);
    }
    const seen = [];
    let calls = 0;
    let options = { limit: 2, prefix: 'page-' };
    for (;;) {
      const { data } = await fc.listServices(options);
      seen.push(...data.services.map((s) => s.serviceName));
      calls++;
      if (!('nextToken' in data)) {
        break;
      }
      options = { limit: 2, prefix: 'page-', nextToken: data.nextToken };
    }
    assert.deepEqual(seen, ['page-0', 'page-1', 'page-2', 'page-3', 'page-4']);
    assert.equal(calls, 3);
    assert.deepEqual((await fc.listServices({ prefix: 'page-', startKey: 'page-3' })).data.services.map((s) => s.serviceName),
      ['page-3', 'page-4']);
    assert.deepEqual((await fc.listServices({ prefix: 'none' })).data, { services: [] });
    await refused(fc.listServices({ limit: 101 }), 'InvalidArgument', 400, 'Limit is set to');
    for (const name of seen) {
      await fc.deleteService(name);
    }
  },

  async 'functions are created, read, changed and deleted'() {
    await fc.createService('svc');
    const made = await fc.createFunction('svc', {
      functionName: 'fn', handler: 'index.handler', runtime: 'nodejs8', memorySize: '256', timeout: '10',
      environmentVariables: { A: '1' }, code: { zipFile: FCD_ZIP }
    });
    assert.equal(made.data.memorySize, 256);
    assert.equal(made.data.timeout, 10);
    assert.match(made.data.codeChecksum, /^\d+$/);
    assert.equal(made.data.codeSize, Buffer.from(FCD_ZIP, 'base64').length);
    await refused(fc.createFunction('svc', {
      functionName: 'bad', handler: 'a.b', runtime: 'cobol', code: { zipFile: FCD_ZIP }
    }), 'InvalidArgument', 400, 'Runtime is set to an invalid value');
    await refused(fc.createFunction('none', {
      functionName: 'fn', handler: 'a.b', runtime: 'nodejs8', code: { zipFile: FCD_ZIP }
    }), 'ServiceNotFound', 404);

    const changed = await fc.updateFunction('svc', 'fn', { timeout: 20 });
    assert.equal(changed.data.timeout, 20);
    assert.equal(changed.data.codeChecksum, made.data.codeChecksum);
    assert.deepEqual(changed.data.environmentVariables, { A: '1' });
    assert.deepEqual((await fc.getFunction('svc', 'fn')).data, changed.data);
    assert.deepEqual((await fc.getFunction('svc', 'fn', {}, 'LATEST')).data, changed.data);
    assert.deepEqual((await fc.listFunctions('svc')).data, { functions: [changed.data] });
    await refused(fc.getFunction('svc', 'none'), 'FunctionNotFound', 404, "function 'none' does not exist in service 'svc'");

    const code = (await fc.getFunctionCode('svc', 'fn')).data;
    assert.equal(code.checksum, made.data.codeChecksum);
    const zip = await get(code.url);
    assert.equal(zip.status, 200);
    assert.equal(zip.headers['x-oss-hash-crc64ecma'], code.checksum);
    assert.equal(zip.body.toString('base64'), FCD_ZIP);

    await refused(fc.deleteService('svc'), 'ServiceNotEmpty', 409);
    assert.equal((await fc.deleteFunction('svc', 'fn')).data, '');
    await fc.deleteService('svc');
  },

  async 'functions are invoked'() {
    await fc.createService('svc');
    await fc.createFunction('svc', { functionName: 'fn', handler: 'index.handler', runtime: 'nodejs8', code: { zipFile: FCD_ZIP } });
    const text = await fc.invokeFunction('svc', 'fn', 'hello');
    assert.equal(text.data, 'hello');
    assert.equal(text.headers['content-type'], 'application/octet-stream');
    hasID(text.headers);
    for (const h of ['x-fc-invocation-duration', 'x-fc-max-memory-usage', 'x-fc-code-checksum', 'x-fc-invocation-service-version']) {
      assert.ok(text.headers[h], h);
    }
    const bytes = Buffer.from([0, 255, 128, 10]);
    const raw = await fc.invokeFunction('svc', 'fn', bytes, {}, 'LATEST', { rawBuf: true });
    assert.ok(bytes.equals(raw.data));
    assert.equal((await fc.invokeFunction('svc', 'fn')).data, '');
    assert.equal((await fc.invokeFunction('svc', 'fn', '{"a":1}')).data, '{"a":1}');

    const tail = await fc.invokeFunction('svc', 'fn', 'x', { 'x-fc-log-type': 'Tail' });
    assert.match(Buffer.from(tail.headers['x-fc-log-result'], 'base64').toString(), /FC Invoke Start RequestId: .{36}/);

    const failed = await fc.invokeFunction('svc', 'fn', 'handled');
    assert.equal(failed.headers['x-fc-error-type'], 'HandledInvocationError');
    assert.equal(failed.data.errorMessage, 'oops');
    const crashed = await fc.invokeFunction('svc', 'fn', 'unhandled');
    assert.equal(crashed.headers['x-fc-error-type'], 'UnhandledInvocationError');

    const later = await fc.invokeFunction('svc', 'fn', 'x', { 'x-fc-invocation-type': 'Async' });
    assert.equal(later.data, '');
    hasID(later.headers);
    await refused(fc.invokeFunction('svc', 'none', 'x', { 'x-fc-invocation-type': 'Async' }), 'FunctionNotFound', 404);
    await refused(fc.invokeFunction('svc', 'fn', 'x', { 'x-fc-invocation-type': 'Async', 'x-fc-log-type': 'Tail' }),
      'InvalidArgument', 400, 'LogType is set to an invalid value \\(allowed: None, actual: .Tail.\\)');
    await refused(fc.invokeFunction('svc', 'fn', 'x', { 'x-fc-log-type': 'Invalid' }),
      'InvalidArgument', 400, 'LogType is set to an invalid value \\(allowed: Tail \\| None, actual: .Invalid.\\)');
    await refused(fc.invokeFunction('svc', 'fn', Buffer.alloc(131073), { 'x-fc-invocation-type': 'Async' }), 'EntityTooLarge', 400);
    await refused(fc.invokeFunction('svc', 'fn', Buffer.alloc(6 * 1024 * 1024 + 1)), 'EntityTooLarge', 400);
    await refused(client(FCD_KEY, 'wrong').invokeFunction('svc', 'fn', Buffer.alloc(6 * 1024 * 1024)), 'SignatureNotMatch', 403);
    await refused(fc.createFunction('none', { functionName: 'x', handler: 'a.b', runtime: 'nodejs8',
      code: { zipFile: 'A'.repeat(30 * 1024 * 1024) } }), 'ServiceNotFound', 404);
    await refused(fc.invokeFunction('svc', 'fn', 'exhausted'), 'ResourceExhausted', 429);
    await fc.deleteFunction('svc', 'fn');
    await fc.deleteService('svc');
  },

  async 'triggers are created, read, changed and deleted'() {
    await fc.createService('svc');
    await fc.createFunction('svc', { functionName: 'fn', handler: 'index.handler', runtime: 'nodejs8', code: { zipFile: FCD_ZIP } });
    const made = await fc.createTrigger('svc', 'fn', {
      triggerName: 'uploads', triggerType: 'oss', sourceArn: FCD_BUCKET, invocationRole: FCD_ROLE,
      triggerConfig: { events: ['oss:ObjectCreated:*'], prefix: 'src/' }
    });
    assert.equal(made.data.sourceArn, FCD_BUCKET);
    assert.ok(made.headers.etag);
    await refused(fc.createTrigger('svc', 'fn', {
      triggerName: 'again', triggerType: 'oss', sourceArn: FCD_BUCKET, invocationRole: FCD_ROLE,
      triggerConfig: { events: ['oss:ObjectCreated:*'], prefix: 'src/a' }
    }), 'InvalidArgument', 400, "event source 'oss' returned error: Cannot specify overlapping prefix and suffix with same event type\\.\\.");
    const timer = await fc.createTrigger('svc', 'fn', {
      triggerName: 'tick', triggerType: 'timer', sourceArn: 'dummy_arn', triggerConfig: { cronExpression: '@every 1m' }
    });
    assert.equal(timer.data.sourceArn, null);
    const changed = await fc.updateTrigger('svc', 'fn', 'uploads', { triggerConfig: { prefix: 'in/' } });
    assert.deepEqual(changed.data.triggerConfig, { events: ['oss:ObjectCreated:*'], prefix: 'in/' });
    assert.deepEqual((await fc.getTrigger('svc', 'fn', 'uploads')).data, changed.data);
    assert.deepEqual((await fc.listTriggers('svc', 'fn')).data.triggers.map((t) => t.triggerName), ['tick', 'uploads']);
    await refused(fc.deleteFunction('svc', 'fn'), 'FunctionNotEmpty', 409);
    for (const name of ['tick', 'uploads']) {
      assert.equal((await fc.deleteTrigger('svc', 'fn', name)).data, '');
    }
    await refused(fc.getTrigger('svc', 'fn', 'tick'), 'TriggerNotFound', 404);
    await fc.deleteFunction('svc', 'fn');
    await fc.deleteService('svc');
  },

  async 'bad signatures are refused'() {
    await refused(client('nobody', FCD_SECRET).listServices(), 'InvalidAccessKeyId', 403, "invalid access key ID 'nobody'");
    await refused(client(FCD_KEY, 'wrong').listServices(), 'SignatureNotMatch', 403);
    await refused(fc.get('/nowhere'), 'PathNotSupported', 400);
  }
};

(async () => {
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      console.log(`ok   ${name}`);
    } catch (err) {
      failed++;
      console.log(`FAIL ${name}\n${err.stack}`);
    }
  }
  process.exit(failed ? 1 : 0);
})();
