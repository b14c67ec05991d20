'use strict';
// Handlers that are async functions, from Node 8 on.

exports.value = async function (event) { return 'value of ' + event; };
exports.object = async function () { return { a: 1 }; };
exports.nothing = async function () {};
exports.waits = async function () {
  await new Promise(function (resolve) { setTimeout(resolve, 5); });
  return 'after a while';
};
exports.rejects = async function () { throw new Error('rejected'); };
exports.rejectsText = async function () { throw 'only text'; };
exports.rejectsLater = async function later() {
  await new Promise(function (resolve) { setTimeout(resolve, 5); });
  throw new Error('rejected later');
};
exports.promise = function () { return Promise.resolve('a promise without async'); };
exports.callbackWins = async function (event, context, callback) {
  callback(null, 'by the callback');
  return 'by the promise';
};
exports.unhandled = async function () {
  Promise.reject('nobody catches this');
  await new Promise(function (resolve) { setTimeout(resolve, 20); });
  return 'still here';
};
