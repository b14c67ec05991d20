exports.handler = (event, context, callback) => callback(null, require('./near') + ' from ' + __filename);
