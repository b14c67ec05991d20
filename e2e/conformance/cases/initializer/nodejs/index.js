'use strict';
// Initializers and handlers that see what they did.
let count = 0;
let tries = 0;
let seen = '';

exports.counterInit = function (context, callback) {
  console.log('initializing');
  count = 10;
  callback(null, 'nobody sees this');
};

exports.counter = function (event, context, callback) {
  count++;
  callback(null, String(count));
};

exports.failsTwice = function (context, callback) {
  tries++;
  callback(tries < 3 ? new Error('attempt ' + tries) : null);
};

exports.throwsAlways = function (context, callback) { throw new Error('cannot start'); };
exports.never = function (context, callback) {};
exports.leave = function (context, callback) { process.exit(1); };

exports.contextInit = function (context, callback) {
  seen = context.requestId + ' ' + context.credentials.accessKeyId.slice(0, 4) + ' ' + context.function.initializer;
  callback();
};

exports.context = function (event, context, callback) {
  callback(null, seen + ' ' + (seen.indexOf(context.requestId) === 0));
};

exports.otherState = function (event, context, callback) { callback(null, global.madeByOther); };
