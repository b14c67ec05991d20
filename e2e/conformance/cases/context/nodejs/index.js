'use strict';
// What a handler is told about its call.

exports.init = function (context, callback) { callback(); };

exports.shown = function (event, context, callback) { callback(null, JSON.stringify(context, null, 1)); };

exports.fields = function (event, context, callback) {
  const lines = [];
  (function walk(path, x) {
    Object.keys(x).forEach(function (key) {
      const name = path + key;
      const value = x[key];
      if (value !== null && typeof value === 'object') {
        lines.push(name + ': object');
        walk(name + '.', value);
      } else {
        lines.push(name + ': ' + typeof value + (typeof value === 'function' ? '' : ' ' + JSON.stringify(value)));
      }
    });
  })('', context);
  callback(null, lines.join('\n'));
};

exports.keys = function (event, context, callback) {
  const c = context.credentials;
  callback(null, [
    c.accessKeyId.slice(0, 4), c.accessKeySecret.length > 0, c.securityToken.length > 0,
    c.accessKeyId === process.env.accessKeyID, c.accessKeySecret === process.env.accessKeySecret, c.securityToken === process.env.securityToken
  ].join(' '));
};

exports.frozen = function (event, context, callback) {
  const soft = [];
  (function walk(path, x) {
    Object.keys(x).forEach(function (key) {
      const before = x[key];
      try {
        x[key] = 'changed';
        soft.push(path + key);
        x[key] = before;
      } catch (err) {
        // in strict mode a frozen property throws
      }
      if (before !== null && typeof before === 'object') walk(path + key + '.', before);
    });
    try {
      x.added = 1;
      soft.push(path + 'added');
      delete x.added;
    } catch (err) {
      // frozen
    }
  })('', context);
  callback(null, soft.join('\n'));
};

let last = null;
exports.eachCall = function (event, context, callback) {
  const same = last === context;
  const sameId = last !== null && last.requestId === context.requestId;
  last = context;
  callback(null, same + ' ' + sameId);
};
