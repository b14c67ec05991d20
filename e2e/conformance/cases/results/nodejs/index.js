'use strict';
// One handler for each kind of result.

function give(value) {
  return function (event, context, callback) { callback(null, value); };
}

exports.noArguments = function (event, context, callback) { callback(); };
exports.onlyNull = function (event, context, callback) { callback(null); };
exports.undefinedError = function (event, context, callback) { callback(undefined, 'the result'); };
exports.none = give(null);
exports.undefinedResult = give(undefined);
exports.bytes = give(Buffer.from([0, 1, 2, 255, 254, 10, 13, 128]));
exports.text = give('h\u00e9llo \u4e16\u754c \ud83d\ude00\n');
exports.emptyText = give('');
exports.integer = give(42);
exports.zero = give(0);
exports.fraction = give(-1.5);
exports.notANumber = give(NaN);
exports.yes = give(true);
exports.no = give(false);
exports.object = give({ b: 1, a: 'h\u00e9llo', nested: { list: [1, 'two', null, { three: 3 }], none: undefined } });
exports.list = give([1, 'two', null, true]);
exports.date = give(new Date(0));
exports.withToJSON = give({ toJSON: function () { return { shown: 'instead' }; } });
exports.ownFunction = give(function (a) { return a + 1; });
exports.typedArray = give(new Uint8Array([1, 2, 3]));
