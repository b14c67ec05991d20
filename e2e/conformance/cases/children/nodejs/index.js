'use strict';
// Programs that a handler starts.
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
  const list = 'var n = []; for (var i = 0; i < 64; i++) { try { if (require("fs").fstatSync(i).isFIFO()) n.push(i) } catch (e) {} } process.stdout.write(n.filter(function (i) { return i === 3 || i === 4 }).join() || "neither 3 nor 4")';
  callback(null, child.execFileSync(process.execPath, ['-e', list]));
};
