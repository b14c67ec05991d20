const fs = require('fs');
let loaded = 0;
loaded++;
exports.handler = (event, context, callback) => callback(null, 'loaded ' + loaded + ' time, called with ' + event);
