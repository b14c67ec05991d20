'use strict';
// What a handler's name leads to.

exports.name = 'the module';
exports.handler = function (event, context, callback) { callback(null, 'index ' + this.name); };
exports.notAFunction = 42;
exports.two_words$1 = function (event, context, callback) { callback(null, 'any name'); };
exports.twoArguments = function (event, context) { arguments[2](null, String(arguments.length)); };
exports.arrow = (event, context, callback) => callback(null, 'arrow');
