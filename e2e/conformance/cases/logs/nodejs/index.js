'use strict';
// What a handler writes and where it ends up.
const fs = require('fs');
const child = require('child_process');

exports.levels = function (event, context, callback) {
  console.log('log');
  console.debug('debug');
  console.info('info');
  console.warn('warn');
  console.error('error');
  callback();
};

exports.contextLogger = function (event, context, callback) {
  context.logger.log('log');
  context.logger.debug('debug');
  context.logger.info('info');
  context.logger.warn('warn');
  context.logger.error('error');
  callback();
};

let calls = 0;
exports.setLevel = function (event, context, callback) {
  if (calls++ === 0) {
    console.setLogLevel('warn');
  } else {
    console.info('still dropped');
    context.logger.setLogLevel('verbose');
  }
  ['error', 'warn', 'info', 'log', 'debug'].forEach(function (name) { console[name](name); });
  callback();
};

exports.badLevel = function (event, context, callback) {
  console.setLogLevel('loud');
  callback();
};

exports.format = function (event, context, callback) {
  console.log('%s is %d of %j', 'this', 1, { a: [1] }, 'and more');
  console.log({ a: 1 }, [2], null, undefined, true);
  console.log();
  console.info('100%');
  callback();
};

exports.manyLines = function (event, context, callback) {
  console.log('one\ntwo\n\nfour\n');
  callback();
};

exports.unicode = function (event, context, callback) {
  console.log('h\u00e9llo \u4e16\u754c \ud83d\ude00 \t "quoted" \\');
  callback();
};

exports.raw = function (event, context, callback) {
  process.stdout.write('one\ntwo\n');
  process.stdout.write('three\n');
  callback();
};

exports.rawError = function (event, context, callback) {
  process.stderr.write('one\ntwo\n');
  callback();
};

exports.empty = function (event, context, callback) {
  process.stdout.write('\n\nthird\n');
  callback();
};

exports.unterminated = function (event, context, callback) {
  process.stdout.write('no newline');
  callback();
};

exports.parts = function (event, context, callback) {
  process.stdout.write('one ');
  setTimeout(function () {
    process.stdout.write('record\n');
    callback();
  }, 20);
};

exports.binary = function (event, context, callback) {
  process.stdout.write(Buffer.from([0x61, 0, 1, 0xff, 0xfe, 0x80, 0x62, 0x0d, 0x0a, 0xe4, 0xb8, 0x0a]));
  callback();
};

// say starts the interpreter itself as a child that shares standard output: there need not be another program.
function say(text) {
  child.spawnSync(process.execPath, ['-e', 'require("fs").writeSync(1, ' + JSON.stringify(text) + ')'], { stdio: ['ignore', 'inherit', 'inherit'] });
}

exports.mixed = function (event, context, callback) {
  process.stdout.write('1 raw\n');
  console.log('2 logged');
  say('3 child\n');
  fs.writeSync(1, '4 by descriptor\n');
  say('5 child');
  process.stdout.write('\n6 raw\n');
  console.log('7 logged');
  callback();
};

exports.child = function (event, context, callback) {
  say('a line of the child\nno newline at its end');
  callback();
};

exports.late = function (event, context, callback) {
  callback(null, 'answered');
  // Runs after the answer and before the instance sleeps until its next request.
  setImmediate(function () {
    console.log('logged late');
    fs.writeSync(1, 'raw late\n');
  });
};

exports.afterCallback = function (event, context, callback) {
  callback(null, 'answered');
  console.log('after the callback');
};

exports.dir = function (event, context, callback) {
  console.dir({ a: { b: 1 } });
  callback();
};

exports.longLine = function (event, context, callback) {
  process.stdout.write(new Array(70 * 1024 + 1).join('x') + '\n');
  callback();
};

exports.idOfCall = function (event, context, callback) {
  console.log('%s has its own id: %s', event, context.requestId);
  callback();
};

exports.failed = function (event, context, callback) {
  console.log('before');
  process.stdout.write('raw before\n');
  callback(new Error('failed'));
};
