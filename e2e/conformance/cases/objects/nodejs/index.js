'use strict';

// Copies the object that an event names, with the credentials of the context, as the guide's OSS examples do. Here the
// requests are signed by hand, so that the package holds nothing but this file.

const crypto = require('crypto');
const http = require('http');

function send(method, place, key, credentials, body, callback) {
  const date = new Date().toUTCString();
  const kind = body ? 'application/octet-stream' : '';
  const token = credentials.securityToken;
  const text = [method, '', kind, date, 'x-oss-security-token:' + token, '/' + place.bucket + '/' + key].join('\n');
  const mac = crypto.createHmac('sha1', credentials.accessKeySecret).update(text).digest('base64');
  const headers = { 'Date': date, 'x-oss-security-token': token, 'Authorization': 'OSS ' + credentials.accessKeyId + ':' + mac };
  if (body) Object.assign(headers, { 'Content-Type': kind, 'Content-Length': body.length });
  const host = place.bucket + '.oss-' + place.region + '.aliyuncs.com';
  const request = http.request({ method: method, host: host, path: '/' + key, headers: headers }, function (answer) {
    const parts = [];
    answer.on('data', function (part) { parts.push(part); });
    answer.on('end', function () {
      const content = Buffer.concat(parts);
      callback(answer.statusCode === 200 ? null : new Error(answer.statusCode + ' ' + content), content);
    });
  });
  request.on('error', callback);
  request.end(body);
}

exports.copy = function (event, context, callback) {
  const e = JSON.parse(event).events[0];
  const place = { bucket: e.oss.bucket.name, region: e.region };
  const source = e.oss.object.key;
  const target = 'copies/' + context.function.name;
  send('GET', place, source, context.credentials, null, function (err, content) {
    if (err) return callback(err);
    console.log(content.length + ' bytes of ' + source);
    send('PUT', place, target, context.credentials, content, function (err) {
      callback(err, { bytes: content.length, from: source, to: target });
    });
  });
};
