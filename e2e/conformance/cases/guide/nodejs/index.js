'use strict';
// What the examples of the developer guide do.

exports.hello = function (event, context, callback) {
  console.log('hello world');
  callback(null, 'hello world');
};

exports.error = function (event, context, callback) {
  console.log('about to fail');
  callback(new Error('something is wrong'));
};

let counter = 0;
exports.initialize = function (context, callback) {
  counter++;
  callback(null, '');
};
exports.counter = function (event, context, callback) {
  counter++;
  callback(null, String(counter));
};

exports.logging = function (event, context, callback) {
  console.log('a log line');
  console.info('an info line');
  console.warn('a warning');
  console.error('an error');
  callback(null, 'logged');
};

exports.variable = function (event, context, callback) { callback(null, process.env.BUCKET_NAME); };

exports.timer = function (event, context, callback) {
  const tick = JSON.parse(event.toString());
  console.log(tick.triggerName + ' at ' + tick.triggerTime);
  callback(null, tick.payload);
};

exports.oss = function (event, context, callback) {
  const e = JSON.parse(event).events[0];
  callback(null, [e.eventName, e.oss.bucket.name, e.oss.object.key, e.oss.object.size].join(' '));
};
