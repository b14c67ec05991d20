'use strict';
// Runs inside the sandbox: takes requests as frames from fd 3, calls the user's function, answers on fd 4. fd 1 and 2
// are log pipes. One file for every Node from version 6 on, so nothing newer than Node 6 may stand here.
//
// Whatever carries the fence token or an answer uses functions kept at start, so that user code that patches fs or
// Buffer neither reads the token nor breaks the pipes. The token itself lives in the closure of makeFences.
//
// With one request at a time (the default) the process blocks in a read between requests, so that nothing of the
// function runs then. With several, HELLO's concurrency says so, frames are read by the event loop, which goes on between
// requests, no fences stand around requests, and records carry labels with the id of theirs instead.

(function () {
  const fs = require('fs');
  const util = require('util');
  const Module = require('module');

  const FRAMES_IN = 3;
  const FRAMES_OUT = 4;
  const T = { HELLO: 1, INIT: 2, INVOKE: 3, PRESTOP: 4, PREFREEZE: 5, READY: 16, RESULT: 17, HANDLED: 18, UNHANDLED: 19 };
  const MAX_FRAME = 64 * 1024 * 1024;
  const MAX_ERROR_LOG = 262144;
  const MAX_REST = 32768;
  const TRUNCATED = '... Truncated by FunctionCompute';
  const LEVELS = { error: 0, warn: 1, info: 2, verbose: 3, debug: 4, silly: 5 };

  // Kept from user code's reach.
  const readSync = fs.readSync;
  const writeSync = fs.writeSync;
  const existsSync = fs.existsSync;
  const alloc = Buffer.alloc;
  const allocWritten = Buffer.allocUnsafeSlow; // memory of its own that the caller fills to the last byte
  const bufferFrom = Buffer.from;
  const concat = Buffer.concat;
  const byteLength = Buffer.byteLength;
  const isBuffer = Buffer.isBuffer;
  const stringify = JSON.stringify;
  const parse = JSON.parse;
  const freeze = Object.freeze;
  const format = util.format;
  const inspect = util.inspect;
  const Clock = Date;
  const nextTick = process.nextTick;
  const apply = Reflect.apply;
  const immediate = setImmediate;
  const interval = setInterval;
  const exit = process.exit;

  const encode = function (text) { return bufferFrom(text, 'utf8'); };

  // writeAll writes the first length bytes. A child process that shares the pipe may have made it non-blocking: then try
  // again, the daemon always reads.
  function writeAll(fd, buf, length) {
    let at = 0;
    while (at < length) {
      try {
        at += writeSync(fd, buf, at, length - at);
      } catch (err) {
        if (err.code !== 'EAGAIN' && err.code !== 'EINTR') throw err;
      }
    }
  }

  // writeLog is writeAll for the log pipes: a daemon that is gone is no reason for the function to fail.
  function writeLog(fd, buf, length) {
    try {
      writeAll(fd, buf, length === undefined ? buf.length : length);
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
    const out = allocWritten(n);
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

  // need reads until n bytes, at most what fits, stand in ahead from from on. With nothing left over there is room for
  // any packet of the pipe: what a read has no room for of one is lost.
  function need(n) {
    if (to - from >= n) return;
    if (from === to) from = to = 0;
    if (ahead.length - from < n) {
      ahead.copy(ahead, 0, from, to);
      to -= from;
      from = 0;
    }
    while (to - from < n) to += readSome(ahead, to, ahead.length - to);
  }

  function uint32(buf, at) {
    return buf[at] * 0x1000000 + (buf[at + 1] << 16 | buf[at + 2] << 8 | buf[at + 3]);
  }

  function putUint32(buf, at, n) {
    buf[at] = n >>> 24;
    buf[at + 1] = n >>> 16;
    buf[at + 2] = n >>> 8;
    buf[at + 3] = n;
  }

  function readFrame() {
    need(9);
    const type = ahead[from + 4];
    const headerLength = uint32(ahead, from + 5);
    const bodyLength = uint32(ahead, from) - 5 - headerLength;
    from += 9;
    let header;
    if (headerLength <= ahead.length) {
      need(headerLength);
      header = ahead.toString('utf8', from, from + headerLength);
      from += headerLength;
    } else {
      header = take(headerLength).toString('utf8');
    }
    return { type: type, header: parse(header), body: take(bodyLength) };
  }

  let held = []; // what the event loop has read and readFrame has not taken
  let heldBytes = 0;
  let wanted = 9; // so many bytes are needed to go on

  // feed takes in bytes and hands on each frame that is complete.
  function feed(chunk, accept) {
    held.push(chunk);
    heldBytes += chunk.length;
    while (heldBytes >= wanted) {
      const all = held.length === 1 ? held[0] : concat(held);
      held = [all];
      wanted = 4 + all.readUInt32BE(0);
      if (heldBytes < wanted) return;
      held = [all.slice(wanted)];
      heldBytes -= wanted;
      const headerEnd = 9 + all.readUInt32BE(5);
      const body = alloc(wanted - headerEnd); // its memory is to hold nothing of other requests
      all.copy(body, 0, headerEnd, wanted);
      wanted = 9;
      accept({ type: all[4], header: parse(all.slice(9, headerEnd).toString('utf8')), body: body });
    }
  }

  const joined = alloc(65536 + 1024); // an answer on its way out, header and body in one write

  function writeFrame(type, header, body) {
    const head = stringify(header);
    const headLength = byteLength(head, 'utf8');
    const small = 9 + headLength + body.length <= joined.length;
    const out = small ? joined : alloc(9 + headLength);
    putUint32(out, 0, 5 + headLength + body.length);
    out[4] = type;
    putUint32(out, 5, headLength);
    out.write(head, 9, headLength, 'utf8');
    if (small) {
      body.copy(out, 9 + headLength);
      writeAll(FRAMES_OUT, out, 9 + headLength + body.length);
      return;
    }
    writeAll(FRAMES_OUT, out, out.length);
    writeAll(FRAMES_OUT, body, body.length);
  }

  // ---- log

  let last = null; // the request that began last, also after its end: what is printed late carries its id
  let bracket = false;
  let level = LEVELS.silly;
  let makeFence = null;
  const FENCE_REST = 19; // bytes of a fence beside the id
  const fenceRoom = alloc(128 + FENCE_REST); // an id is at most 128 bytes

  // makeFences keeps the token to itself. It touches no function that user code could have replaced.
  function makeFences(hex) {
    const token = [];
    for (let i = 0; i < hex.length; i += 2) token.push(parseInt(hex.substr(i, 2), 16));
    return function (mark, id, room) {
      const buf = room || alloc(id.length + FENCE_REST);
      let n = 1;
      for (let i = 0; i < token.length; i++) buf[n++] = token[i];
      buf[n++] = mark;
      for (let i = 0; i < id.length; i++) buf[n++] = id.charCodeAt(i);
      buf[n] = 10;
      return buf;
    };
  }

  function fence(mark, id) {
    const buf = makeFence(mark, id, fenceRoom);
    writeLog(1, buf, id.length + FENCE_REST);
    writeLog(2, buf, id.length + FENCE_REST);
  }

  // writeOf writes what belongs to a request: where several are in flight, between labels, in one go.
  function writeOf(request, fd, buf) {
    if (scope !== null && request !== null) buf = concat([makeFence(76, request.id), buf, makeFence(85, request.id)]); // L, U
    writeLog(fd, buf);
  }

  // writeStream is writeOf for streams. Several requests may write parts of lines in turn: parts wait for their line.
  function writeStream(fd, chunk) {
    const request = current();
    if (scope === null || request === null || !request.open) return writeLog(fd, chunk);
    const rest = request.rest[fd];
    if (rest !== undefined) chunk = concat([rest, chunk]);
    const end = chunk.length > MAX_REST ? chunk.length : chunk.lastIndexOf(10) + 1;
    if (end > 0) writeOf(request, fd, chunk.slice(0, end));
    request.rest[fd] = end < chunk.length ? bufferFrom(chunk.slice(end)) : undefined;
  }

  // flushStreams writes the parts of lines that a request leaves behind.
  function flushStreams(request) {
    [1, 2].forEach(function (fd) {
      if (request.rest[fd] !== undefined) writeOf(request, fd, request.rest[fd]);
      request.rest[fd] = undefined;
    });
  }

  function logLine(name, text, of) {
    const request = of || current();
    const shown = bracket ? '[' + name + ']' : name;
    const id = request === null ? '' : request.id;
    const line = new Clock().toISOString() + ' ' + id + ' ' + shown + ' ' + text.replace(/\n/g, '\r') + '\n';
    writeOf(request, 1, encode(line));
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
            writeStream(fd, chunk);
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

  function logError(json, request) {
    const text = json.length > MAX_ERROR_LOG ? json.slice(0, MAX_ERROR_LOG) + TRUNCATED : json;
    logLine('error', text, request);
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
  let inFlight = []; // the requests that are not yet answered, in the order they began
  let scope = null; // knows whose code runs; null with one request at a time
  let doomed = false; // after an uncaught error: no further request is wanted

  // current is the request that the running code belongs to, as far as that is known, else the latest.
  function current() {
    if (scope === null) return last;
    return scope.current() || (inFlight.length > 0 ? inFlight[inFlight.length - 1] : last);
  }

  // makeScope follows requests through timers, callbacks and promises. Before version 12.17 of Node domains do, though
  // not through every promise.
  function makeScope() {
    let Storage;
    try {
      Storage = require('async_hooks').AsyncLocalStorage;
    } catch (err) { /* before version 8 there is no such module */ }
    if (Storage) {
      const storage = new Storage();
      return {
        run: function (request, fn) { storage.run(request, fn); },
        current: function () { return storage.getStore() || null; }
      };
    }
    const domain = require('domain');
    return {
      run: function (request, fn) {
        const d = domain.create();
        d.request = request;
        d.on('error', function (err) { fail(err, undefined, request); });
        d.run(fn);
      },
      current: function () { return process.domain && process.domain.request || null; }
    };
  }

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
    makeFence = makeFences(h.token);
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
      service: { name: s.name, logProject: s.logProject, logStore: s.logStore, qualifier: s.qualifier, versionId: s.versionId },
      tracing: { openTracingSpanContext: '', openTracingSpanBaggages: {}, jaegerEndpoint: '' }
    });
    if (h.concurrency > 1) scope = makeScope();
    // Before version 15 Node only warned about a rejection that nobody handles.
    if (nominalMajor(h.runtime) < 15) {
      process.on('unhandledRejection', function (reason) {
        loggers.warn('unhandled promise rejection: %s', isError(reason) ? reason.stack : inspect(reason));
      });
    }
  }

  function makeContext(request) {
    const tracing = request.tracing;
    return freeze({
      requestId: request.id,
      credentials: credentials,
      function: base.function,
      service: base.service,
      region: hello.region,
      accountId: hello.accountId,
      logger: loggers,
      retryCount: request.retryCount || 0,
      tracing: !tracing ? base.tracing : freezeDeep({
        openTracingSpanContext: tracing.openTracingSpanContext || '',
        openTracingSpanBaggages: tracing.openTracingSpanBaggages || {},
        jaegerEndpoint: tracing.jaegerEndpoint || ''
      })
    });
  }

  // load finds the function that a handler names and the module that is to be its this. A module that has been loaded is
  // taken from Node's own table, as require would.
  function load(handler) {
    const place = places[handler] || (places[handler] = placeOf(handler));
    const loaded = Module._cache[place.path];
    let exported;
    if (loaded !== undefined && loaded.loaded) {
      exported = loaded.exports;
    } else {
      if (!existsSync(place.path)) throw new LoadError("Cannot find module '" + place.path + "'", 'ImportModuleError');
      exported = require(place.path);
    }
    if (exported === null || exported === undefined || typeof exported[place.name] !== 'function') {
      throw new LoadError("Handler '" + place.name + "' missing on module '" + place.file + "'", 'HandlerNotFound');
    }
    return { self: exported, fn: exported[place.name] };
  }

  const places = Object.create(null); // by handler: at most one for each hook

  function placeOf(handler) {
    const dot = handler.lastIndexOf('.');
    if (dot <= 0 || dot === handler.length - 1) {
      throw new LoadError("Invalid handler '" + handler + "'", 'HandlerNotFound');
    }
    const file = handler.slice(0, dot);
    return { file: file, name: handler.slice(dot + 1), path: hello.codeDir + '/' + file + '.js' };
  }

  function answer(request, type, header, body) {
    if (5 + 1024 + body.length > MAX_FRAME) {
      const json = stringify({ errorMessage: 'result of ' + body.length + ' bytes exceeds the maximum of ' + (MAX_FRAME - 1029) });
      answer(request, T.UNHANDLED, { class: 'FunctionUnhandledError', exit: false }, encode(json));
      return;
    }
    header.id = request.id;
    request.open = false;
    inFlight.splice(inFlight.indexOf(request), 1);
    if (scope !== null) {
      flushStreams(request);
      if (doomed) header.exit = true;
      writeFrame(type, header, body);
      return;
    }
    writeFrame(type, header, body); // the answer is waited for, the end fences are not
    fence(69, request.id); // E
    immediate(next);
  }

  // fail is the end of a request by an error that its handler did not report, and of the process: at once, or where
  // others are in flight when those are answered.
  function fail(err, kind, of) {
    const json = safeErrorJSON(err);
    const request = of || (scope === null ? last : scope.current() || (inFlight.length === 1 ? inFlight[0] : null));
    logError(json, request);
    // With nobody waiting, or if it is not known who, the process is not fit for another request all the same.
    if (inFlight.length === 0 || request === null) exit(1);
    if (hello.errors && hello.errors.uncaught === 'exited') exit(1);
    doomed = true;
    if (request.open) answer(request, T.UNHANDLED, { class: kind || 'FunctionUnhandledError', exit: true }, encode(json));
    if (scope === null) exit(1);
  }

  function failLoad(err, request) {
    const json = stringify({ errorMessage: err.message });
    logError(json, request);
    answer(request, T.UNHANDLED, { class: err.kind, exit: false }, encode(json));
  }

  function finish(request, err, result) {
    if (err !== undefined && err !== null) {
      const json = safeErrorJSON(err);
      logError(json, request);
      answer(request, T.HANDLED, {}, encode(json));
      return;
    }
    let body;
    try {
      body = resultBytes(result);
    } catch (bad) {
      fail(bad, undefined, request);
      return;
    }
    answer(request, T.RESULT, {}, body);
  }

  // settler makes the callback of one request: its first call counts, the result leaves on the next tick.
  function settler(request) {
    let settled = false;
    return function (err, result) {
      if (settled) return;
      settled = true;
      nextTick(function () { if (request.open) finish(request, err, result); });
    };
  }

  function watchPromise(request, returned, done) {
    if (hello.ignorePromises || nominalMajor(hello.runtime) < 8) return;
    if (returned === null || typeof returned !== 'object' || typeof returned.then !== 'function') return;
    returned.then(
      function (value) { done(null, value); },
      function (reason) { nextTick(function () { if (request.open) fail(reason, undefined, request); }); }
    );
  }

  // run calls a function of the user's. exchange is that of an HTTP request, whose handler has no callback: the answer
  // leaves by the response's send.
  function run(request, handler, args, exchange) {
    let user;
    try {
      user = load(handler);
    } catch (err) {
      if (err instanceof LoadError) return failLoad(err, request);
      if (err instanceof SyntaxError) return fail(err, 'UserCodeSyntaxError', request);
      return fail(err, err && err.code === 'MODULE_NOT_FOUND' ? 'ImportModuleError' : undefined, request);
    }
    const done = exchange ? function () {} : settler(request);
    try {
      args.push(exchange ? exchange.context : done);
      watchPromise(request, apply(user.fn, user.self, args), done);
    } catch (err) {
      fail(err, undefined, request);
    }
  }

  function serve(frame) {
    if (frame.header.credentials) setCredentials(frame.header.credentials);
    const request = last = { id: frame.header.id, open: true, rest: {} };
    inFlight.push(request);
    if (scope !== null) {
      scope.run(request, function () { start(request, frame); });
      return;
    }
    fence(83, request.id); // S
    start(request, frame);
  }

  function start(request, frame) {
    const context = makeContext(frame.header);
    if (frame.type === T.INVOKE && frame.header.http) return runHTTP(request, frame, context);
    if (frame.type === T.INVOKE) return run(request, hello.handler, [frame.body, context]);
    const hook = { 2: hello.initializer, 4: hello.preStop, 5: hello.preFreeze }[frame.type];
    if (!hook) return answer(request, T.RESULT, {}, alloc(0));
    run(request, hook, [context]);
  }

  // ---- HTTP triggers

  // flat is a map of lists with single values in the place of lists of one.
  function flat(lists, join) {
    const out = {};
    Object.keys(lists || {}).forEach(function (name) {
      const values = lists[name];
      out[name] = values.length === 1 ? values[0] : join && name !== 'set-cookie' ? values.join(', ') : values;
    });
    return out;
  }

  // httpRequest is a stream of the body that tells of the rest.
  function httpRequest(http, body) {
    const Readable = require('stream').Readable;
    const stream = new Readable({ read: function () {} });
    stream.push(body);
    stream.push(null);
    return Object.assign(stream, {
      method: http.method, path: http.path, url: http.requestURI, clientIP: http.clientIP,
      headers: flat(http.headersMap, true), queries: flat(http.queriesMap, false), body: body
    });
  }

  // httpResponse takes what the handler answers. The first send counts.
  function httpResponse(request) {
    let status = 200;
    let sent = null; // the header of the answer, once it is decided
    const headers = {}; // by lower-case name: name and values
    function leave(body) {
      nextTick(function () {
        if (!request.open) return;
        let bytes;
        try {
          bytes = resultBytes(body);
        } catch (bad) {
          fail(bad, undefined, request);
          return;
        }
        answer(request, T.RESULT, sent, bytes);
      });
    }
    return {
      setStatusCode: function (code) { status = Math.floor(Number(code)) || 0; },
      setHeader: function (name, value) {
        const values = (Array.isArray(value) ? value : [value]).map(String);
        headers[String(name).toLowerCase()] = { name: String(name), values: values };
      },
      deleteHeader: function (name) { delete headers[String(name).toLowerCase()]; },
      send: function (body) {
        if (sent !== null) return;
        sent = { status: status, headers: {} };
        Object.keys(headers).forEach(function (key) { sent.headers[headers[key].name] = headers[key].values; });
        if (body === null || typeof body !== 'object' || typeof body.pipe !== 'function') return leave(body);
        const parts = [];
        body.on('data', function (part) { parts.push(isBuffer(part) ? part : bufferFrom(String(part))); });
        body.on('end', function () { leave(concat(parts)); });
        body.on('error', function (err) { if (request.open) fail(err, undefined, request); });
      }
    };
  }

  function runHTTP(request, frame, context) {
    const args = [httpRequest(frame.header.http, frame.body), httpResponse(request)];
    run(request, hello.handler, args, { context: context });
  }

  const isRequest = function (frame) { return frame.type >= T.INIT && frame.type <= T.PREFREEZE && hello !== null; };

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
        if (scope !== null) return listen();
      } else if (isRequest(frame)) {
        return serve(frame);
      }
    }
  }

  // listen takes requests as they come, by the event loop.
  function listen() {
    const Socket = require('net').Socket;
    const input = new Socket({ fd: FRAMES_IN, readable: true, writable: false });
    const accept = function (frame) { if (isRequest(frame)) serve(frame); };
    const leave = function () { exit(0); };
    input.on('data', function (chunk) { feed(chunk, accept); });
    input.on('end', leave);
    input.on('error', leave);
    feed(bufferFrom(ahead.slice(from, to)), accept);
  }

  // rehearse goes once through what a first request does, on nothing: Node compiles a function when it is first called,
  // and an instance that waits for its function has the time. It leaves no trace.
  function rehearse() {
    const cwd = process.cwd();
    process.chdir('/');
    process.chdir(cwd);
    process.env.FC_REHEARSAL = '';
    delete process.env.FC_REHEARSAL;
    Module._initPaths();
    ahead.fill(0, 0, 0);
    writeLog(1, makeFences('00')(83, '-').slice(0, 0));
    const file = __dirname + '/rehearsal.js';
    hello = { codeDir: __dirname, runtime: '' };
    base = freezeDeep({ function: {}, service: {} });
    setCredentials({});
    const request = { id: '-', open: false, rest: {} };
    const context = makeContext(parse(stringify(request)));
    const done = settler(request);
    const user = load('rehearsal.handler');
    watchPromise(request, apply(user.fn, user.self, [context, done]), done);
    resultBytes({});
    delete places['rehearsal.handler'];
    delete require.cache[file];
    module.children.pop();
    hello = base = credentials = null;
  }

  process.on('uncaughtException', function (err) { fail(err); });
  process.on('SIGTERM', function () { exit(143); });
  installStreams();
  interval(function () {}, 0x7fffffff); // an empty event loop must not end the process while a handler owes an answer
  rehearse();
  writeFrame(T.READY, { v: 1, pid: process.pid, version: process.version.slice(1) }, alloc(0));
  immediate(next);
})();
