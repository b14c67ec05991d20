console.log('printed while loading');
exports.handler = (event, context, callback) => callback(null, 'loaded');
