'use strict';

// The measured handler: reads a JSON event, answers with a little JSON.
exports.handler = (event, context, callback) => {
  const order = JSON.parse(event);
  callback(null, JSON.stringify({ id: order.id, items: order.items.length }));
};
