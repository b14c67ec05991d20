'use strict';
// Runs inside the sandbox: takes requests as frames from fd 3, calls the user's function, answers on fd 4. fd 1 and 2
// are log pipes. One file for every Node from version 6 on, so nothing newer than Node 6 may stand here.
//
// Whatever carries the fence token or an answer uses functions kept at start, so that user code that patches fs or
// Buffer neither reads the token nor breaks the pipes. The token itself lives in the closure of makeFences.

(function () {
  const fs = require('fs');
  const util = require('util');
  const Module = require('module');

  const FRAMES_IN = 3;
  const FRAMES_OUT = 4;
  const T = { HELLO: 1, INIT: 2, INVOKE: 3, PRESTOP: 4, PREFREEZE: 5, READY: 16, RESULT: 17, HANDLED: 18, UNHANDLED: 19 };
  const MAX_FRAME = 64 * 1024 * 1024;
  const MAX_ERROR_LOG = 262144;
  const TRUNCATED = '... Truncated by FunctionCompute';
  const LEVELS = { error: 0, warn: 1, info: 2, verbose: 3, debug: 4, silly: 5 };

  // Kept from user code's reach.
  const readSync = fs.readSync;
  const writeSync = fs.writeSync;
  const existsSync = fs.existsSync;
  const alloc = Buffer.alloc;
  const bufferFrom = Buffer.from;
  const byteLength = Buffer.byteLength;
  const isBuffer = Buffer.isBuffer;
  const stringify = JSON.stringify;
  const parse = JSON.parse;
  const format = util.format;
  const inspect = util.inspect;
  const Clock = Date;
  const nextTick = process.nextTick;
  const immediate = setImmediate;
  const interval = setInterval;
  const stopInterval = clearInterval;
  const exit = process.exit;

  const encode = function (text) { return bufferFrom(text, 'utf8'); };

  // writeAll writes every byte. A child process that shares the pipe may have made it non-blocking: then try again, the
  // daemon always reads.
  function writeAll(fd, buf) {
    let at = 0;
    while (at < buf.length) {
      try {
        at += writeSync(fd, buf, at, buf.length - at);
      } catch (err) {
        if (err.code !== 'EAGAIN' && err.code !== 'EINTR') throw err;
      }
    }
  }

  // writeLog is writeAll for the log pipes: a daemon that is gone is no reason for the function to fail.
  function writeLog(fd, buf) {
    try {
      writeAll(fd, buf);
    } catch (err) {
      if (err.code !== 'EPIPE') throw err;
    }
  }

  // ---- frames

  const ahead = alloc(65536); // bytes read but not yet taken: ahead[from..to)
  let from = 0;
  let to = 0;

  function readSome(buf, at, length) {
    for (;;) {
      try {
        const n = readSync(FRAMES_IN, buf, at, length, null);
        if (n === 0) exit(0); // the daemon closed the pipe: this life is over
        return n;
      } catch (err) {
        if (err.code === 'EOF') exit(0);
        if (err.code !== 'EINTR') throw err;
      }
    }
  }

  // take gives the next n bytes as a Buffer of their own.
  function take(n) {
    const out = alloc(n);
    let have = 0;
    while (have < n) {
      if (from < to) {
        const m = Math.min(n - have, to - from);
        ahead.copy(out, have, from, from + m);
        from += m;
        have += m;
      } else if (n - have >= ahead.length) {
        have += readSome(out, have, n - have);
      } else {
        from = 0;
        to = readSome(ahead, 0, ahead.length);
      }
    }
    return out;
  }

  function readFrame() {
    const prelude = take(9);
    const headerLength = prelude.readUInt32BE(5);
    const header = take(headerLength);
    const body = take(prelude.readUInt32BE(0) - 5 - headerLength);
    return { type: prelude[4], header: parse(header.toString('utf8')), body: body };
  }

  function writeFrame(type, header, body) {
    const head = encode(stringify(header));
    const small = body.length <= 65536;
    const out = alloc(9 + head.length + (small ? body.length : 0));
    out.writeUInt32BE(5 + head.length + body.length, 0);
    out[4] = type;
    out.writeUInt32BE(head.length, 5);
    head.copy(out, 9);
    if (small) body.copy(out, 9 + head.length);
    writeAll(FRAMES_OUT, out);
    if (!small) writeAll(FRAMES_OUT, body);
  }

  // ---- log

  let requestId = ''; // stays after a request's end: what is printed late carries the last id
  let bracket = false;
  let level = LEVELS.silly;
  let fence = null;

  // makeFences keeps the token to itself. It touches no function that user code could have replaced.
  function makeFences(hex) {
    const token = [];
    for (let i = 0; i < hex.length; i += 2) token.push(parseInt(hex.substr(i, 2), 16));
    return function (mark, id) {
      const buf = alloc(token.length + id.length + 3);
      let n = 1;
      for (let i = 0; i < token.length; i++) buf[n++] = token[i];
      buf[n++] = mark;
      for (let i = 0; i < id.length; i++) buf[n++] = id.charCodeAt(i);
      buf[n] = 10;
      writeLog(1, buf);
      writeLog(2, buf);
    };
  }

  function logLine(name, text) {
    const shown = bracket ? '[' + name + ']' : name;
    const line = new Clock().toISOString() + ' ' + requestId + ' ' + shown + ' ' + text.replace(/\n/g, '\r') + '\n';
    writeLog(1, encode(line));
  }

  function logger(name) {
    return function () {
      if (LEVELS[name] <= level) logLine(name, format.apply(util, arguments));
    };
  }

  const setLogLevel = function (name) {
    if (LEVELS[name] === undefined) throw new Error("unknown log level '" + name + "'");
    level = LEVELS[name];
  };

  const loggers = {
    debug: logger('debug'),
    info: logger('info'),
    warn: logger('warn'),
    error: logger('error'),
    log: logger('verbose'),
    setLogLevel: setLogLevel
  };

  // syncStream stands in for process.stdout and process.stderr: Node's own make the shared pipe non-blocking and hold
  // back text once it is full, which would let it slip past a fence.
  function syncStream(fd) {
    let stream = null;
    return function () {
      if (stream === null) {
        const Writable = require('stream').Writable;
        stream = new Writable({
          decodeStrings: true,
          write: function (chunk, encoding, done) {
            writeLog(fd, chunk);
            done();
          }
        });
        stream.fd = fd;
        stream._type = 'pipe';
        stream._isStdio = true;
        stream.destroy = stream.destroySoon = function () { return stream; };
      }
      return stream;
    };
  }

  function installStreams() {
    Object.defineProperty(process, 'stdout', { configurable: true, enumerable: true, get: syncStream(1) });
    Object.defineProperty(process, 'stderr', { configurable: true, enumerable: true, get: syncStream(2) });
    Object.keys(loggers).forEach(function (name) { console[name] = loggers[name]; });
    console.dir = function (value, options) { loggers.log(inspect(value, options)); };
  }

  // ---- errors

  const isError = function (x) {
    return x instanceof Error || Object.prototype.toString.call(x) === '[object Error]';
  };

  // internalFrame tells whether a stack frame is this file's or Node's own.
  function internalFrame(frame) {
    const m = /\(([^()]*)\)$/.exec(frame);
    const where = m === null ? frame.replace(/^async /, '') : m[1];
    return where.indexOf(__filename) >= 0 || frame === '<anonymous>' || /^(node:|internal\/|[\w-]+\.js:\d)/.test(where);
  }

  function stackTrace(err) {
    const stack = String(err.stack || '');
    const message = String(err.message);
    const at = message === '' ? -1 : stack.indexOf(message);
    const rest = at < 0 ? stack : stack.slice(at + message.length);
    const frames = rest.split('\n')
      .filter(function (line) { return /^\s+at /.test(line); })
      .map(function (line) { return line.replace(/^\s+at /, '').replace(/^Object\.((module\.)?exports\.)/, '$1'); })
      .filter(function (frame) { return !internalFrame(frame); });
    const place = /^(\/.*:\d+)\n/.exec(stack); // of a syntax error, which has no frame of the user's
    if (place !== null && at > 0 && err instanceof SyntaxError) frames.unshift(place[1]);
    return frames;
  }

  // resultBytes turns what a function gave into the body of the answer.
  function resultBytes(x) {
    if (x === undefined || x === null) return alloc(0);
    if (isBuffer(x)) return x;
    if (typeof x !== 'object') return encode(String(x));
    const json = stringify(x);
    return json === undefined ? alloc(0) : encode(json);
  }

  function errorJSON(err) {
    if (!isError(err)) {
      return stringify({ errorMessage: resultBytes(err).toString('utf8') });
    }
    const message = String(err.message).replace('\n- ' + __filename, ''); // of a "Require stack"
    return stringify({ errorMessage: message, errorType: String(err.name), stackTrace: stackTrace(err) });
  }

  // safeErrorJSON survives errors whose properties throw or that cannot be written as JSON.
  function safeErrorJSON(err) {
    try {
      return errorJSON(err);
    } catch (second) {
      return stringify({ errorMessage: 'the error cannot be shown: ' + (second && second.message) });
    }
  }

  function logError(json) {
    const text = json.length > MAX_ERROR_LOG ? json.slice(0, MAX_ERROR_LOG) + TRUNCATED : json;
    logLine('error', text);
  }

  // LoadError is a function that cannot be found: said without a stack, and the process stays.
  function LoadError(message, kind) {
    this.message = message;
    this.kind = kind;
  }

  // ---- the function

  let hello = null;
  let base = null; // the parts of the context that no request changes
  let credentials = null;
  let inFlight = null; // the id of the request that is not yet answered
  let holder = null;

  function freezeDeep(x) {
    Object.keys(x).forEach(function (key) {
      if (x[key] !== null && typeof x[key] === 'object') freezeDeep(x[key]);
    });
    return Object.freeze(x);
  }

  function setCredentials(c) {
    credentials = freezeDeep({
      accessKeyId: c.accessKeyId || '',
      accessKeySecret: c.accessKeySecret || '',
      securityToken: c.securityToken || ''
    });
    if (credentials.accessKeyId === '') return;
    process.env.ALIBABA_CLOUD_ACCESS_KEY_ID = process.env.accessKeyID = credentials.accessKeyId;
    process.env.ALIBABA_CLOUD_ACCESS_KEY_SECRET = process.env.accessKeySecret = credentials.accessKeySecret;
    process.env.ALIBABA_CLOUD_SECURITY_TOKEN = process.env.securityToken = credentials.securityToken;
  }

  // nominalMajor is the version that the function asked for, which may be older than the one that runs it.
  function nominalMajor(runtime) {
    const m = /^nodejs(\d+)/.exec(runtime);
    return m === null ? Infinity : Number(m[1]);
  }

  function bind(h) {
    fence = makeFences(h.token);
    delete h.token;
    ahead.fill(0, 0, from); // HELLO is not to be seen through Buffer's prototype
    hello = h;
    bracket = h.logStyle === 'bracket';
    Object.keys(h.env || {}).forEach(function (key) { process.env[key] = h.env[key]; });
    setCredentials(h.credentials || {});
    Module._initPaths();
    process.chdir('/');
    process.chdir(h.codeDir);
    const f = h.function;
    const s = h.service;
    base = freezeDeep({
      function: {
        name: f.name, handler: f.handler, memory: f.memory, timeout: f.timeout,
        initializer: f.initializer || '', initializationTimeout: f.initializationTimeout
      },
      service: { name: s.name, logProject: s.logProject, logStore: s.logStore, qualifier: s.qualifier, versionId: s.versionId }
    });
    // Before version 15 Node only warned about a rejection that nobody handles.
    if (nominalMajor(h.runtime) < 15) {
      process.on('unhandledRejection', function (reason) {
        loggers.warn('unhandled promise rejection: %s', isError(reason) ? reason.stack : inspect(reason));
      });
    }
  }

  function makeContext(request) {
    const tracing = request.tracing || {};
    return Object.freeze({
      requestId: request.id,
      credentials: credentials,
      function: base.function,
      service: base.service,
      region: hello.region,
      accountId: hello.accountId,
      logger: loggers,
      retryCount: request.retryCount || 0,
      tracing: freezeDeep({
        openTracingSpanContext: tracing.openTracingSpanContext || '',
        openTracingSpanBaggages: tracing.openTracingSpanBaggages || {},
        jaegerEndpoint: tracing.jaegerEndpoint || ''
      })
    });
  }

  // load finds the function that a handler names, as a call that keeps the module as its this.
  function load(handler) {
    const dot = handler.lastIndexOf('.');
    if (dot <= 0 || dot === handler.length - 1) {
      throw new LoadError("Invalid handler '" + handler + "'", 'HandlerNotFound');
    }
    const file = handler.slice(0, dot);
    const name = handler.slice(dot + 1);
    const path = hello.codeDir + '/' + file + '.js';
    if (!existsSync(path)) throw new LoadError("Cannot find module '" + path + "'", 'ImportModuleError');
    const exported = require(path);
    if (exported === null || exported === undefined || typeof exported[name] !== 'function') {
      throw new LoadError("Handler '" + name + "' missing on module '" + file + "'", 'HandlerNotFound');
    }
    return exported[name].bind(exported);
  }

  function answer(type, header, body) {
    if (5 + 1024 + body.length > MAX_FRAME) {
      const json = stringify({ errorMessage: 'result of ' + body.length + ' bytes exceeds the maximum of ' + (MAX_FRAME - 1029) });
      answer(T.UNHANDLED, { id: header.id, class: 'FunctionUnhandledError', exit: false }, encode(json));
      return;
    }
    inFlight = null;
    stopInterval(holder);
    writeFrame(type, header, body); // the answer is waited for, the end fences are not
    fence(69, requestId); // E
    immediate(next);
  }

  function fail(err, kind) {
    const json = safeErrorJSON(err);
    logError(json);
    if (inFlight === null) exit(1); // nobody waits for it, but the process is not fit for another request
    if (hello.errors && hello.errors.uncaught === 'exited') exit(1);
    answer(T.UNHANDLED, { id: inFlight, class: kind || 'FunctionUnhandledError', exit: true }, encode(json));
    exit(1);
  }

  function failLoad(err) {
    const json = stringify({ errorMessage: err.message });
    logError(json);
    answer(T.UNHANDLED, { id: inFlight, class: err.kind, exit: false }, encode(json));
  }

  function finish(err, result) {
    if (err !== undefined && err !== null) {
      const json = safeErrorJSON(err);
      logError(json);
      answer(T.HANDLED, { id: inFlight }, encode(json));
      return;
    }
    let body;
    try {
      body = resultBytes(result);
    } catch (bad) {
      fail(bad);
      return;
    }
    answer(T.RESULT, { id: inFlight }, body);
  }

  // settler makes the callback of one request: its first call counts, the result leaves on the next tick.
  function settler() {
    let settled = false;
    const id = inFlight;
    return function (err, result) {
      if (settled) return;
      settled = true;
      nextTick(function () { if (inFlight === id) finish(err, result); });
    };
  }

  function watchPromise(returned, done) {
    if (hello.ignorePromises || nominalMajor(hello.runtime) < 8) return;
    if (returned === null || typeof returned !== 'object' || typeof returned.then !== 'function') return;
    const id = inFlight;
    returned.then(
      function (value) { done(null, value); },
      function (reason) { nextTick(function () { if (inFlight === id) fail(reason); }); }
    );
  }

  function run(handler, args) {
    let fn;
    try {
      fn = load(handler);
    } catch (err) {
      if (err instanceof LoadError) return failLoad(err);
      if (err instanceof SyntaxError) return fail(err, 'UserCodeSyntaxError');
      return fail(err, err && err.code === 'MODULE_NOT_FOUND' ? 'ImportModuleError' : undefined);
    }
    const done = settler();
    try {
      watchPromise(fn.apply(null, args.concat([done])), done);
    } catch (err) {
      fail(err);
    }
  }

  function serve(frame) {
    const request = frame.header;
    if (request.credentials) setCredentials(request.credentials);
    requestId = inFlight = request.id;
    fence(83, requestId); // S
    // An empty event loop must not end the process while the handler owes an answer.
    holder = interval(function () {}, 0x7fffffff);
    const context = makeContext(request);
    if (frame.type === T.INVOKE) return run(hello.handler, [frame.body, context]);
    const hook = { 2: hello.initializer, 4: hello.preStop, 5: hello.preFreeze }[frame.type];
    if (!hook) return answer(T.RESULT, { id: inFlight }, alloc(0));
    run(hook, [context]);
  }

  const debugged = process.execArgv.some(function (arg) { return /^--inspect/.test(arg); });

  // next blocks until a request is there: between requests nothing of the function runs. Under a debugger it waits on
  // the event loop, since a blocked interpreter does not answer its debugger.
  function next() {
    if (!debugged || from < to) return serveNext();
    fs.read(FRAMES_IN, ahead, 0, ahead.length, null, function (err, n) {
      if (err || n === 0) exit(0); // the daemon closed the pipe: this life is over
      from = 0;
      to = n;
      serveNext();
    });
  }

  function serveNext() {
    for (;;) {
      const frame = readFrame();
      if (frame.type === T.HELLO && hello === null) {
        bind(frame.header);
      } else if (frame.type >= T.INIT && frame.type <= T.PREFREEZE && hello !== null) {
        return serve(frame);
      }
    }
  }

  process.on('uncaughtException', function (err) { fail(err); });
  process.on('SIGTERM', function () { exit(143); });
  installStreams();
  writeFrame(T.READY, { v: 1, pid: process.pid, version: process.version.slice(1) }, alloc(0));
  immediate(next);
})();
