'use strict';
class Greeter {
  constructor() { this.greeting = 'hello'; }
  greet(event, context, callback) { callback(null, this.greeting + ' ' + event); }
}
module.exports = new Greeter();
