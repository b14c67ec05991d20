'use strict';

// A bare HTTP server around a handler: node server.js HANDLER. It prints its port and ends with its standard input.
const http = require('http');
const { handler } = require(process.argv[2]);

const server = http.createServer((req, res) => {
  const parts = [];
  req.on('data', (part) => parts.push(part));
  req.on('end', () => {
    handler(Buffer.concat(parts), {}, (err, result) => {
      const body = Buffer.from(err ? String(err) : result);
      res.writeHead(err ? 500 : 200, { 'Content-Length': body.length });
      res.end(body);
    });
  });
});
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
