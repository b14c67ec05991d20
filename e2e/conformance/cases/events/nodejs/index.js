'use strict';
// What a handler is given as its event.

exports.kind = function (event, context, callback) {
  callback(null, [Buffer.isBuffer(event), typeof event, event.constructor.name, event.length].join(' '));
};

exports.echo = function (event, context, callback) { callback(null, event); };

exports.json = function (event, context, callback) {
  callback(null, JSON.parse(event.toString()).key);
};

exports.writable = function (event, context, callback) {
  event[0] = 'J'.charCodeAt(0); // an event belongs to its call
  callback(null, event);
};
