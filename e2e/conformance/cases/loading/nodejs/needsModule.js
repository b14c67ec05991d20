'use strict';
const missing = require('no-such-module');
exports.handler = (event, context, callback) => callback(null, missing);
