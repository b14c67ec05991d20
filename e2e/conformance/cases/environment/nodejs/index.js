'use strict';
// What surrounds a handler.
const fs = require('fs');

exports.all = function (event, context, callback) {
  callback(null, Object.keys(process.env).sort().map(function (k) { return k + '=' + process.env[k]; }).join('\n'));
};

exports.keys = function (event, context, callback) {
  const names = Object.keys(process.env).filter(function (k) { return /ALIBABA|access|Token/.test(k); }).sort();
  callback(null, names.map(function (k) { return k + (process.env[k] ? ' is set' : ' is empty'); }).join('\n'));
};

function attempt(path) {
  try {
    fs.writeFileSync(path, 'x');
    fs.unlinkSync(path);
    return 'written';
  } catch (err) {
    return err.code;
  }
}

exports.place = function (event, context, callback) {
  const lines = ['cwd ' + process.cwd(), 'root ' + (process.getuid() === 0), 'pid ' + process.pid];
  ['/tmp/x', '/code/x', '/x', '/usr/x', '/var/fc/x'].forEach(function (path) { lines.push(path + ' ' + attempt(path)); });
  lines.push('home ' + require('os').homedir());
  callback(null, lines.join('\n'));
};

exports.zone = function (event, context, callback) { callback(null, String(new Date(0).getHours())); };

exports.modules = function (event, context, callback) {
  callback(null, [require('near'), require('far'), require('./lib/own')].join('\n'));
};

exports.code = function (event, context, callback) {
  callback(null, [fs.readFileSync('data/text.txt', 'utf8'), fs.readFileSync(process.env.FC_FUNC_CODE_PATH + 'data/text.txt', 'utf8'), __dirname].join(''));
};
