'use strict';

// Does the same with the OSS client, which the package holds.

const OSS = require('ali-oss');

exports.copy = function (event, context, callback) {
  const e = JSON.parse(event).events[0];
  const keys = {
    accessKeyId: context.credentials.accessKeyId,
    accessKeySecret: context.credentials.accessKeySecret,
    stsToken: context.credentials.securityToken
  };
  const client = new OSS(Object.assign({
    region: 'oss-' + e.region,
    bucket: e.oss.bucket.name,
    refreshSTSToken: () => Promise.resolve(keys), // they outlive the call
    refreshSTSTokenInterval: 3600 * 1000
  }, keys));
  const source = e.oss.object.key;
  const target = 'copies/' + context.function.name;
  client.get(source).then((got) => {
    console.log(got.content.length + ' bytes of ' + source);
    return client.put(target, got.content).then(() => ({ bytes: got.content.length, from: source, to: target }));
  }).then((done) => callback(null, done), (err) => callback(err));
};
