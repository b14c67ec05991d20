exports.handler = (event, context, callback) => callback(null, 'a.b.js');
