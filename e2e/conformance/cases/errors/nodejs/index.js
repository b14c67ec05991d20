'use strict';
// One handler for each way to fail.

exports.callbackError = function (event, context, callback) {
  callback(new Error('something is wrong'));
};

exports.callbackErrorAndResult = function (event, context, callback) {
  callback(new Error('something is wrong'), 'a result that nobody sees');
};

function fail(x) {
  return function (event, context, callback) { callback(x, 'a result that nobody sees'); };
}

exports.callbackText = fail('just text');
exports.callbackObject = fail({ code: 7, reasons: ['a', 'b'] });
exports.callbackNumber = fail(42);
exports.callbackZero = fail(0);
exports.callbackEmpty = fail('');
exports.callbackFalse = fail(false);
exports.callbackBytes = fail(Buffer.from('bytes'));

class OrderError extends Error {
  constructor(message) {
    super(message);
    this.name = 'OrderError';
    this.code = 'E_ORDER'; // not shown: the body has three keys
  }
}

exports.callbackSubclass = function (event, context, callback) { callback(new OrderError('out of stock')); };
exports.callbackTypeError = function (event, context, callback) {
  try {
    null.x();
  } catch (err) {
    err.message = 'a null has no x'; // Node's own words change with its version
    callback(err);
  }
};
exports.callbackManyLines = function (event, context, callback) { callback(new Error('one\ntwo\n    at three (four:5:6)')); };
exports.callbackNoMessage = function (event, context, callback) { callback(new Error()); };
exports.callbackNoStack = function (event, context, callback) {
  const err = new Error('no stack');
  err.stack = undefined;
  callback(err);
};
exports.callbackUnicode = function (event, context, callback) { callback(new Error('\u4e16\u754c "quoted" \u0007')); };
exports.callbackLater = function (event, context, callback) {
  setTimeout(function later() { callback(new Error('later')); }, 5);
};

exports.callbackTwice = function (event, context, callback) {
  callback(null, 'first');
  callback(new Error('second'));
  callback(null, 'third');
};
exports.callbackErrorFirst = function (event, context, callback) {
  callback(new Error('first'));
  callback(null, 'second');
};

exports.thrown = function (event, context, callback) { throw new Error('thrown'); };
exports.thrownText = function (event, context, callback) { throw 'only text'; };
exports.thrownNull = function (event, context, callback) { throw null; };
exports.thrownDeep = function (event, context, callback) {
  function deeper() { throw new RangeError('from below'); }
  [1].forEach(function each() { deeper(); });
};
exports.thrownLater = function (event, context, callback) {
  setTimeout(function later() { throw new Error('thrown later'); }, 5);
};
exports.thrownAfterCallback = function (event, context, callback) {
  callback(null, 'result');
  throw new Error('thrown after the callback');
};
exports.emitted = function (event, context, callback) {
  new (require('events'))().emit('error', new Error('nobody listens'));
};

exports.circular = function (event, context, callback) {
  const a = {};
  a.self = a;
  a.toJSON = function () { throw new TypeError('circular'); };
  callback(null, a);
};

exports.never = function (event, context, callback) { console.log('waiting'); };
exports.busy = function (event, context, callback) {
  console.log('busy');
  for (;;);
};

exports.exitZero = function (event, context, callback) {
  console.log('leaving');
  process.exit(0);
};
exports.exitOne = function (event, context, callback) { process.exit(1); };
exports.exitAfterCallback = function (event, context, callback) {
  callback(null, 'result');
  process.exit(0);
};
exports.aborted = function (event, context, callback) { process.abort(); };
exports.terminated = function (event, context, callback) { process.kill(process.pid, 'SIGTERM'); };
exports.killsItself = function (event, context, callback) {
  process.kill(process.pid, 'SIGKILL');
  callback(null, 'survived as process ' + process.pid);
};
exports.memory = function (event, context, callback) {
  const kept = [];
  for (let i = 0; i < 1024; i++) kept.push(Buffer.alloc(1 << 20, i));
  callback(null, 'has ' + kept.length + ' MB');
};
exports.heap = function (event, context, callback) {
  let list = [];
  for (;;) list.push([list.length, { a: list.length }]);
};

exports.huge = function (event, context, callback) {
  const err = new Error(new Array(300 * 1024 + 1).join('x'));
  err.stack = 'Error: ' + err.message;
  callback(err);
};
exports.tooLarge = function (event, context, callback) { callback(null, Buffer.alloc(6 * 1024 * 1024 + 1)); };

let calls = 0;
const ways = {
  ok: function (callback) { callback(null, 'call ' + calls); },
  handled: function (callback) { callback(new Error('handled')); },
  thrown: function (callback) { throw new Error('thrown'); },
  exit: function (callback) { process.exit(0); },
  never: function (callback) {}
};
exports.replacement = function (event, context, callback) {
  calls++;
  ways[String(event)](callback);
};
