'use strict';
// What the bootstrap runs in place of a function while it waits for one; see rehearse in bootstrap.js.
exports.handler = function (context, callback) { callback(null, context.requestId); };
