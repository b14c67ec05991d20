# -*- coding: utf-8 -*-
"""Runs inside the sandbox: takes requests as frames from fd 3, calls the user's function, answers on fd 4. fd 1 and 2
are log pipes. One file for Python 2.7 and every Python from 3.6 on. Imports little: an instance's start is mostly
imports, and ssl or http alone would cost six times the rest.

What carries the fence token or an answer uses functions kept at start, so that user code that patches os does not
break the pipes. The token itself lives in the closure of make_fences.

With one request at a time (the default) it runs on the main thread. With several, HELLO's concurrency says so, each has
a thread of its own, no fences stand around requests, and records carry labels with the id of theirs instead.
"""

import errno
import io
import json
import logging
import os
import signal
import struct
import sys
import threading
import time
import traceback

PY2 = sys.version_info[0] == 2
FRAMES_IN, FRAMES_OUT = 3, 4
HELLO, INIT, INVOKE, PRESTOP, PREFREEZE, READY, RESULT, HANDLED, UNHANDLED = 1, 2, 3, 4, 5, 16, 17, 18, 19
MAX_FRAME = 64 * 1024 * 1024
MAX_ERROR_LOG = 262144
MAX_REST = 32768
TRUNCATED = '... Truncated by FunctionCompute'
THIS_FILE = os.path.abspath(__file__)
PRELUDE = struct.Struct('>IBI')  # of a frame: total, type, length of the header
decode_header, encode_header = json.JSONDecoder().decode, json.JSONEncoder().encode

os_read, os_write, os_exit, os_getpid = os.read, os.write, os._exit, os.getpid
PID = os.getpid()

if PY2:
    import fcntl

    text_type = unicode  # noqa: F821
    bytes_types = (str, bytearray)
else:
    text_type = str
    bytes_types = (bytes, bytearray, memoryview)


# ---- pipes

def retry(call, *args):
    """Makes a system call again when a signal cut it short; Python 3 does that by itself."""
    while True:
        try:
            return call(*args)
        except (OSError, IOError) as err:
            if not PY2 or err.errno != errno.EINTR:
                raise


def write_all(fd, data):
    at = 0
    if not PY2:
        try:
            at = os_write(fd, data)  # nearly always the whole of it
        except BlockingIOError:  # noqa: F821
            pass
        if at == len(data):
            return
    view = memoryview(data)
    while at < len(view):
        try:
            at += retry(os_write, fd, view[at:at + (1 << 20)])
        except (OSError, IOError) as err:
            # A child process that shares a log pipe may have made it non-blocking: the daemon always reads.
            if err.errno != errno.EAGAIN:
                raise
            time.sleep(0.001)


class Frames(object):
    """Reads frames. What a read gave beyond the frame waits for the next."""

    def __init__(self):
        self.ahead = b''

    def need(self, n):
        """Reads until n bytes are there."""
        parts, have = [self.ahead], len(self.ahead)
        while have < n:
            part = retry(os_read, FRAMES_IN, min(max(n - have, 1 << 16), 1 << 20))
            if not part:  # the daemon closed the pipe: this life is over
                leave(0)
            parts.append(part)
            have += len(part)
        self.ahead = b''.join(parts)

    def read(self):
        if len(self.ahead) < 9:
            self.need(9)
        total, kind, header_length = PRELUDE.unpack_from(self.ahead)
        end = 4 + total
        if len(self.ahead) < end:
            self.need(end)
        ahead, body_at = self.ahead, 9 + header_length
        self.ahead = ahead[end:]
        header = native(decode_header(ahead[9:body_at].decode('utf-8')))
        return kind, header, ahead[body_at:end]


def native(x):
    """Makes the text of a header the interpreter's own str."""
    if not PY2:
        return x
    if isinstance(x, dict):
        return dict((native(k), native(v)) for k, v in x.items())
    if isinstance(x, list):
        return [native(v) for v in x]
    return x.encode('utf-8') if isinstance(x, text_type) else x


def write_frame(kind, header, body):
    head = encode_header(header).encode('utf-8')
    write_all(FRAMES_OUT, PRELUDE.pack(5 + len(head) + len(body), kind, len(head)) + head + body)


def close_on_exec(fd):
    """Keeps a descriptor from child processes, which get 0, 1 and 2 alone."""
    if PY2:
        fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.fcntl(fd, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)
    else:
        os.set_inheritable(fd, False)


# ---- log

def flush(stream):
    try:
        stream.flush()
    except Exception:  # user code may have put anything there, or closed it
        pass


class Log(object):
    """The two log pipes, the id that prefixed lines carry, and the fences."""

    def __init__(self):
        self.last = ''  # the request that began last, also after its end: what is printed late carries its id
        self.bracket = False
        self.fence = None
        self.label = None  # wraps what belongs to a request; None with one request at a time
        self.own = threading.local()  # .request_id of the thread, .rest of its streams by descriptor
        self.lock = threading.Lock()  # a record is written in one go
        self.out = self.open_line_buffered(1, 'surrogateescape')
        self.err = self.open_line_buffered(2, 'backslashreplace')
        sys.stdout = sys.__stdout__ = self.out
        sys.stderr = sys.__stderr__ = self.err

    @staticmethod
    def open_line_buffered(fd, errors):
        # A line at a time, so that text stands before that of a child process started after it.
        # User code that closes the stream must not close the pipe.
        if PY2:
            own = os.dup(fd)
            close_on_exec(own)
            return os.fdopen(own, 'w', 1)
        return open(fd, 'w', buffering=1, encoding='utf-8', errors=errors, closefd=False)

    def flush(self):
        flush(self.out)
        flush(self.err)
        if sys.stdout is not self.out:
            flush(sys.stdout)
        if sys.stderr is not self.err:
            flush(sys.stderr)

    def share(self, label):
        """Several requests write in turn from now on."""
        self.label = label
        sys.stdout = sys.__stdout__ = RequestStream(self, self.out, 1)
        sys.stderr = sys.__stderr__ = RequestStream(self, self.err, 2)

    def request_id(self):
        """The request that the running thread belongs to, as far as that is known, else the latest."""
        return getattr(self.own, 'request_id', self.last)

    def write(self, fd, data):
        """Writes what belongs to the thread's request."""
        request_id = self.request_id()
        if self.label is None or not request_id:
            write_all(fd, data)
            return
        with self.lock:
            write_all(fd, self.label(data, request_id))

    def line(self, level, text):
        if PY2 and isinstance(text, text_type):
            text = text.encode('utf-8')
        now = time.time()
        stamp = '%s.%03dZ' % (time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now)), int(now * 1000) % 1000)
        shown = '[%s]' % level if self.bracket else level
        line = '%s %s %s %s\n' % (stamp, self.request_id(), shown, text.replace('\n', '\r'))
        flush(self.out)
        self.write(1, line if PY2 else line.encode('utf-8', 'backslashreplace'))

    def error(self, body):
        """Writes the error that was answered, as one record."""
        text = body.decode('utf-8')
        if len(text) > MAX_ERROR_LOG:
            text = text[:MAX_ERROR_LOG] + TRUNCATED
        self.line('ERROR', text)


def make_fences(log, token):
    raw = bytes(bytearray(int(token[i:i + 2], 16) for i in range(0, len(token), 2)))

    def fence(mark, request_id):
        data = b'\0' + raw + mark + request_id.encode('ascii') + b'\n'
        log.flush()
        write_all(1, data)
        write_all(2, data)

    def label(data, request_id):
        tail = request_id.encode('ascii') + b'\n'
        return b'\0' + raw + b'L' + tail + data + b'\0' + raw + b'U' + tail
    return fence, label


class RequestStream(object):
    """Stands in for stdout or stderr while several requests are in flight: each writes whole lines, its own."""

    def __init__(self, log, stream, fd):
        self._log, self._stream, self._fd = log, stream, fd

    def write(self, text):
        data = text if isinstance(text, bytes) else text.encode('utf-8', 'surrogateescape' if not PY2 else 'replace')
        parts = self._log.own.__dict__.setdefault('rest', {})
        data = parts.pop(self._fd, b'') + data
        end = len(data) if len(data) > MAX_REST else data.rfind(b'\n') + 1
        if end > 0:
            self._log.write(self._fd, data[:end])
        if end < len(data):
            parts[self._fd] = data[end:]
        return len(text)

    def writelines(self, lines):
        for line in lines:
            self.write(line)

    def flush(self):
        """Lets go of a part of a line, at the end of a request or when the function wants it out."""
        rest = self._log.own.__dict__.get('rest', {}).pop(self._fd, b'')
        if rest:
            self._log.write(self._fd, rest)
        flush(self._stream)

    def __getattr__(self, name):
        return getattr(self._stream, name)


class LogHandler(logging.Handler):
    """Writes a record of the root logger as one prefixed line."""

    def __init__(self, log):
        logging.Handler.__init__(self)
        self.log = log

    def emit(self, record):
        try:
            self.log.line(record.levelname, self.format(record))
        except Exception:
            self.handleError(record)


# ---- errors

class LoadError(Exception):
    """The function cannot be found or loaded; shown to the caller as it stands."""

    def __init__(self, message, error_type=None, trace=None, kind=None):
        Exception.__init__(self, message)
        self.shown = {'errorMessage': message}
        if error_type is not None:
            self.shown['errorType'] = error_type
        if trace is not None:
            self.shown['stackTrace'] = trace
        self.kind = kind or error_type or 'HandlerNotFound'


class ResultEncoder(json.JSONEncoder):
    def default(self, o):
        decimal = sys.modules.get('decimal')
        if decimal is not None and isinstance(o, decimal.Decimal):
            return float(o)
        return json.JSONEncoder.default(self, o)


def to_json(x):
    data = json.dumps(x, cls=ResultEncoder, indent=4, sort_keys=True)
    return data if isinstance(data, bytes) else data.encode('utf-8')


def message_of(err):
    try:
        text = str(err)
        return decoded(text) if PY2 else text.encode('utf-8', 'replace').decode('utf-8')
    except Exception:
        try:
            return text_type(err)
        except Exception:
            return u'the error cannot be shown: its text raises an exception'


def user_frames(tb):
    """The frames of a traceback without this file's and the import machinery's, which come before the user's."""
    return [f for f in traceback.extract_tb(tb)
            if os.path.abspath(f[0]) != THIS_FILE and not f[0].startswith('<frozen importlib')]


def frame_lists(tb):
    lists = []
    for name, line, function, text in user_frames(tb):
        entry = ['File "%s"' % name, 'line %s' % line, 'in %s' % function]
        lists.append([decoded(part) for part in (entry + [text] if text else entry)])
    return lists


def decoded(text):
    return text.decode('utf-8', 'replace') if isinstance(text, bytes) else text


def flat_trace(kind, err, tb):
    lines = ['Traceback (most recent call last):\n'] + traceback.format_list(
        [tuple(f) for f in user_frames(tb)]) + traceback.format_exception_only(kind, err)
    return [decoded(line) for block in lines for line in block.rstrip('\n').split('\n')]


def error_body(kind, err, tb):
    shown = {'errorMessage': message_of(err), 'errorType': kind.__name__, 'stackTrace': frame_lists(tb)}
    return to_json(shown)


# ---- context

class Record(object):
    """A part of the context: named values, shown as JSON."""

    def __init__(self, **values):
        self.__dict__.update(values)


class FCContext(object):
    """What the function is told about the call, its keys and itself."""

    def __init__(self, account_id, request_id, credentials, function, service, region, tracing, retry_count):
        self.account_id = account_id
        self.request_id = request_id
        self.credentials = credentials
        self.function = function
        self.service = service
        self.region = region
        self.tracing = tracing
        self.logger = logging.getLogger()
        self.retry_count = retry_count

    def to_json(self):
        c, f, s, t = self.credentials, self.function, self.service, self.tracing
        return json.dumps({
            'requestId': self.request_id,
            'credentials': {
                'accessKeyId': c.access_key_id,
                'accessKeySecret': c.access_key_secret,
                'securityToken': c.security_token,
            },
            'function': {
                'name': f.name,
                'handler': f.handler,
                'memory': f.memory,
                'timeout': f.timeout,
                'initializer': f.initializer,
                'initializationTimeout': f.initialization_timeout,
            },
            'service': {
                'name': s.name,
                'logProject': s.log_project,
                'logStore': s.log_store,
                'qualifier': s.qualifier,
                'versionId': s.version_id,
            },
            'region': self.region,
            'accountId': self.account_id,
            'retryCount': self.retry_count,
            'tracing': {
                'openTracingSpanContext': t.span_context,
                'openTracingSpanBaggages': t.span_baggages,
                'jaegerEndpoint': t.jaeger_endpoint,
            },
        })

    def __str__(self):
        return self.to_json()


# ---- module loading

def set_path(code_dir):
    """Puts the code directory and the places of libraries where the interpreter looks for modules."""
    version = 'python%d.%d' % sys.version_info[:2]
    site_packages = os.path.join('lib', version, 'site-packages')
    front = [code_dir, os.path.join('/opt/python', site_packages), '/opt/python']
    front += [p for p in os.environ.get('PYTHONPATH', '').split(os.pathsep) if p]
    sys.path[:] = front + [p for p in sys.path if p not in front and p != os.path.dirname(THIS_FILE)]
    user_base = os.environ.get('PYTHONUSERBASE')
    user_site = user_base and os.path.join(user_base, site_packages)
    if user_site and os.path.isdir(user_site):
        add_user_site(user_base, user_site)


def add_user_site(user_base, user_site):
    """Adds the user's site directory with its .pth files, before the interpreter's own site directories."""
    import site
    site.USER_BASE, site.USER_SITE, site.ENABLE_USER_SITE = user_base, user_site, True
    before = list(sys.path)
    site.addsitedir(user_site)
    added = [p for p in sys.path if p not in before]
    at = next((i for i, p in enumerate(before) if i > 2 and p.endswith(('site-packages', 'dist-packages'))), len(before))
    sys.path[:] = before[:at] + added + before[at:]


def import_module(code_dir, name):
    """Imports the module that a handler names; folders may be written with dots or slashes."""
    dotted = name.strip('/').replace('/', '.')
    path = os.path.join(code_dir, *dotted.split('.')) + '.py'
    loaded = sys.modules.get(dotted)
    if loaded is not None and os.path.isfile(path):
        # The user's file is named like a module that is here already, such as time.py.
        if os.path.abspath(getattr(loaded, '__file__', None) or '/') not in (path, path + 'c'):
            return import_file(dotted, path)
    if PY2 and '.' in dotted and os.path.isfile(path) and not has_packages(code_dir, dotted):
        return import_file(dotted, path)
    __import__(dotted)
    return sys.modules[dotted]


def has_packages(code_dir, dotted):
    folder = code_dir
    for part in dotted.split('.')[:-1]:
        folder = os.path.join(folder, part)
        if not os.path.isfile(os.path.join(folder, '__init__.py')):
            return False
    return True


def import_file(dotted, path):
    """Imports one file whatever modules and packages are named like it."""
    name = '_fc_' + dotted.replace('.', '_')
    if name in sys.modules:
        return sys.modules[name]
    if PY2:
        import imp
        return imp.load_source(name, path)
    import importlib.util
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module
    return module


def load(code_dir, handler):
    """The module that a handler names and the name of its function there. Raises LoadError."""
    name, dot, attribute = handler.rpartition('.')
    if not name or not attribute:
        raise LoadError("Invalid handler '%s'" % handler)
    try:
        module = import_module(code_dir, name)
    except SystemExit:
        raise
    except BaseException as err:
        kind, _, tb = sys.exc_info()
        raise load_error(name, kind, err, tb)
    return module, attribute


def function_of(handler, module, attribute):
    function = getattr(module, attribute, None)
    if not callable(function):
        raise LoadError("Handler '%s' missing on module '%s'" % (attribute, handler.rpartition('.')[0]))
    return function


def load_error(name, kind, err, tb):
    trace = flat_trace(kind, err, tb)
    if issubclass(kind, ImportError):
        return LoadError("Unable to import module '%s'" % name, 'ImportModuleError', trace)
    if issubclass(kind, SyntaxError):
        return LoadError("Syntax error in module '%s'" % name, 'UserCodeSyntaxError', trace)
    message = u"Module initialization error: '%s'" % message_of(err)
    return LoadError(message, 'UserCodeError', trace, 'FunctionUnhandledError')


# ---- the function

class Function(object):
    """The function that this process is bound to."""

    def __init__(self, log, hello):
        self.log = log
        self.hello = hello
        self.code_dir = hello['codeDir']
        log.fence, label = make_fences(log, hello.pop('token'))
        self.shared = (hello.get('concurrency') or 1) > 1
        if self.shared:
            log.share(label)
        self.answering = threading.Lock()
        self.loading = threading.RLock()
        self.modules = {}  # by handler: the module that was loaded for it, the function's name there
        log.bracket = hello.get('logStyle') == 'bracket'
        os.environ.update(hello.get('env') or {})
        self.set_credentials(hello.get('credentials') or {})
        time.tzset()
        os.chdir('/')
        os.chdir(self.code_dir)
        set_path(self.code_dir)
        f, s = hello['function'], hello['service']
        self.function = Record(
            name=f['name'], handler=f['handler'], memory=f['memory'], timeout=f['timeout'],
            initializer=f.get('initializer') or '', initialization_timeout=f.get('initializationTimeout') or 0)
        self.service = Record(
            name=s['name'], log_project=s['logProject'], log_store=s['logStore'],
            qualifier=s['qualifier'], version_id=s['versionId'])

    def set_credentials(self, c):
        values = [c.get('accessKeyId') or '', c.get('accessKeySecret') or '', c.get('securityToken') or '']
        self.credentials = Record(access_key_id=values[0], access_key_secret=values[1], security_token=values[2])
        if not values[0]:
            return
        names = ('ACCESS_KEY_ID', 'ACCESS_KEY_SECRET', 'SECURITY_TOKEN')
        for new, old, value in zip(names, ('accessKeyID', 'accessKeySecret', 'securityToken'), values):
            os.environ['ALIBABA_CLOUD_' + new] = value
            os.environ[old] = value

    def context(self, request):
        t = request.get('tracing')
        tracing = Record(span_context='', span_baggages={}, jaeger_endpoint='') if not t else Record(
            span_context=t.get('openTracingSpanContext') or '',
            span_baggages=t.get('openTracingSpanBaggages') or {},
            jaeger_endpoint=t.get('jaegerEndpoint') or '')
        return FCContext(
            self.hello['accountId'], request['id'], self.credentials, self.function, self.service,
            self.hello['region'], tracing, request.get('retryCount') or 0)

    def serve(self, kind, request, event):
        """Runs one request to its answer."""
        if request.get('credentials'):
            self.set_credentials(request['credentials'])
        request_id = self.log.last = str(request['id'])
        if self.shared:
            self.log.own.request_id = request_id
        else:
            self.log.fence(b'S', request_id)
        answer, extra, body = self.run(kind, request, event)
        if os_getpid() != PID:  # a child process that the handler forked came back from it
            leave(0)
        header = {'id': request_id}
        header.update(extra)
        if answer == UNHANDLED:
            self.log.error(body)
        if self.shared:
            self.log.flush()
            with self.answering:
                write_frame(answer, header, body)
            return
        write_frame(answer, header, body)  # the answer is waited for, the end fences are not
        self.log.fence(b'E', request_id)

    def start(self, kind, request, event):
        """Runs one request among others, on a thread of its own."""
        if request.get('credentials'):  # in the order they came
            self.set_credentials(request.pop('credentials'))
        thread = threading.Thread(target=self.serve, args=(kind, request, event))
        thread.daemon = True
        thread.start()

    def run(self, kind, request, event):
        try:
            body, extra = self.call(kind, request, event)
        except SystemExit as err:
            self.log.flush()
            leave(exit_code(err))
        except LoadError as err:
            return UNHANDLED, {'class': err.kind}, to_json(err.shown)
        except BaseException:
            return UNHANDLED, {'class': 'FunctionUnhandledError'}, error_body(*sys.exc_info())
        if 1029 + len(body) > MAX_FRAME:
            message = 'result of %d bytes exceeds the maximum of %d' % (len(body), MAX_FRAME - 1029)
            return UNHANDLED, {'class': 'FunctionUnhandledError'}, to_json({'errorMessage': message})
        return RESULT, extra, body

    def call(self, kind, request, event):
        hello, context = self.hello, self.context(request)
        if kind == INVOKE and request.get('http'):
            exchange = Exchange(request['http'], event, context, self.shared)
            return exchange.run(self.load(hello['handler']))
        if kind == INVOKE:
            return result_bytes(self.load(hello['handler'])(event, context)), {}
        hook = hello.get({INIT: 'initializer', PRESTOP: 'preStop', PREFREEZE: 'preFreeze'}[kind])
        if hook:
            self.load(hook)(context)
        return b'', {}

    def load(self, handler):
        """The function that a handler names. Its module is looked for once, unless the function has taken it away."""
        found = self.modules.get(handler)
        if found is None or sys.modules.get(found[0].__name__) is not found[0]:
            with self.loading:
                found = self.modules[handler] = load(self.code_dir, handler)
        return function_of(handler, *found)


class Exchange(object):
    """A request of an HTTP trigger, put to the function as to a WSGI application (PEP 3333)."""

    def __init__(self, http, body, context, shared):
        self.status, self.headers, self.written = None, {}, []
        self.environ = environ = {
            'REQUEST_METHOD': http['method'], 'SCRIPT_NAME': '', 'PATH_INFO': wsgi_text(http['path']),
            'QUERY_STRING': http['requestURI'].partition('?')[2],
            'REMOTE_ADDR': http.get('clientIP') or '', 'SERVER_NAME': (http.get('host') or '').rpartition(':')[0] or http.get('host') or '',
            'SERVER_PORT': '80', 'SERVER_PROTOCOL': 'HTTP/1.1',
            'CONTENT_TYPE': '', 'CONTENT_LENGTH': str(len(body)),
            'wsgi.version': (1, 0), 'wsgi.url_scheme': 'http', 'wsgi.input': io.BytesIO(body), 'wsgi.errors': sys.stderr,
            'wsgi.multithread': shared, 'wsgi.multiprocess': False, 'wsgi.run_once': False,
            'fc.context': context, 'fc.request_uri': http['requestURI'],
        }
        for name, values in (http.get('headersMap') or {}).items():
            key = name.upper().replace('-', '_')
            if key not in ('CONTENT_TYPE', 'CONTENT_LENGTH'):
                key = 'HTTP_' + key
            if key != 'CONTENT_LENGTH':
                environ[key] = wsgi_text(', '.join(values))

    def start_response(self, status, headers, exc_info=None):
        self.status = int(str(status).split(' ', 1)[0])
        self.headers = {}
        for name, value in headers:
            self.headers.setdefault(decoded(name), []).append(decoded(value))
        return self.written.append

    def run(self, function):
        """The body and, for the header of the answer, status and headers."""
        result = function(self.environ, self.start_response)
        parts = [result] if isinstance(result, bytes_types + (text_type,)) else result or ()
        try:
            body = b''.join([part_bytes(part) for part in parts])
        finally:
            if hasattr(result, 'close'):
                result.close()
        if self.status is None:
            raise TypeError('the handler has not called start_response')
        return b''.join([part_bytes(part) for part in self.written]) + body, {'status': self.status, 'headers': self.headers}


def part_bytes(part):
    return part.encode('utf-8') if isinstance(part, text_type) else bytes(part)


def wsgi_text(text):
    """Text as WSGI has it: the bytes of its UTF-8 form as a str."""
    return text if PY2 else text.encode('utf-8', 'surrogateescape').decode('latin-1')


def result_bytes(x):
    if isinstance(x, bytes_types):
        return bytes(x)
    if isinstance(x, text_type):
        return x.encode('utf-8')
    return to_json(x)


def exit_code(err):
    if err.code is None:
        return 0
    return err.code & 0xff if isinstance(err.code, int) else 1


def leave(code):
    """Ends the process at once: other threads and what the user left at exit do not hold it up."""
    flush(sys.stdout)
    flush(sys.stderr)
    os_exit(code)


def print_stacks(busy):
    """Shows, on stderr, what every thread is doing."""
    lines = []
    for ident, frame in sys._current_frames().items():
        stack = [f for f in traceback.extract_stack(frame) if os.path.abspath(f[0]) != THIS_FILE]
        if stack:
            lines.append('Thread %d (most recent call last):\n' % ident)
            lines.extend(traceback.format_list(stack))
    if busy:
        sys.stderr.write(''.join(lines))


def main():
    log = Log()
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(LogHandler(log))
    state = {'busy': False}

    def on_term(signum, frame):
        try:
            print_stacks(state['busy'])
        finally:
            leave(128 + signum)

    signal.signal(signal.SIGTERM, on_term)
    close_on_exec(FRAMES_IN)
    close_on_exec(FRAMES_OUT)
    version = '%d.%d.%d' % sys.version_info[:3]
    write_frame(READY, {'v': 1, 'pid': PID, 'version': version}, b'')
    function = None
    frames = Frames()
    while True:
        kind, header, body = frames.read()
        if kind == HELLO and function is None:
            function = Function(log, header)
        elif INIT <= kind <= PREFREEZE and function is not None:
            state['busy'] = True
            if function.shared:
                function.start(kind, header, body)
                continue
            function.serve(kind, header, body)
            state['busy'] = False


if __name__ == '__main__':
    main()
