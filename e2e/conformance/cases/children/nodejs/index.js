'use strict';
// Programs that a handler starts.
const fs = require('fs');
const child = require('child_process');

exports.output = function (event, context, callback) {
  callback(null, child.execFileSync(process.execPath, ['-e', 'process.stdout.write("from a child")']));
};

exports.shell = function (event, context, callback) {
  callback(null, child.execSync('echo from $0; exit 0', { encoding: 'utf8' }));
};

exports.leftBehind = function (event, context, callback) {
  const c = child.spawn(process.execPath, ['-e', 'setInterval(function () {}, 1000)'], { stdio: 'inherit', detached: true });
  c.unref();
  callback(null, c.pid > 0 ? 'started' : 'failed');
};

exports.descriptors = function (event, context, callback) {
  // The child looks for the pipes that the handler's own process has as 3 and 4; its own 3 and 4 are something else.
  const mine = [3, 4].map(function (fd) { return fs.readlinkSync('/proc/self/fd/' + fd); });
  const look = 'var fs = require("fs"); var found = fs.readdirSync("/proc/self/fd").map(function (fd) { try { return fs.readlinkSync("/proc/self/fd/" + fd) } catch (e) {} }).filter(function (x) { return process.argv.indexOf(x) > 0 }); process.stdout.write(String(found.length))';
  callback(null, mine[0].slice(0, 5) + ' ' + child.execFileSync(process.execPath, ['-e', look].concat(mine)));
};
