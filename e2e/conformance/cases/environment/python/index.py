"""What surrounds a handler."""
import errno
import os
import time


def all(event, context):
    return '\n'.join('%s=%s' % item for item in sorted(os.environ.items()))


def keys(event, context):
    names = [k for k in sorted(os.environ) if 'ALIBABA' in k or 'access' in k or 'Token' in k]
    return '\n'.join(k + (' is set' if os.environ[k] else ' is empty') for k in names)


def attempt(path):
    try:
        open(path, 'w').close()
        os.remove(path)
        return 'written'
    except (IOError, OSError) as err:
        return errno.errorcode[err.errno]


def place(event, context):
    lines = ['cwd ' + os.getcwd(), 'root ' + str(os.getuid() == 0).lower(), 'pid %d' % os.getpid()]
    lines += ['%s %s' % (path, attempt(path)) for path in ['/tmp/x', '/code/x', '/x', '/usr/x', '/var/fc/x']]
    return '\n'.join(lines + ['home ' + os.path.expanduser('~')])


def zone(event, context):
    return str(time.localtime(0).tm_hour)


def modules(event, context):
    import far
    import sys
    from lib import own
    return '\n'.join([far.name, own.name, sys.path[0], sys.path[1].replace('%d.%d' % sys.version_info[:2], 'X.Y'), sys.path[2]])


def code(event, context):
    with open('data/text.txt') as relative:
        with open(os.environ['FC_FUNC_CODE_PATH'] + 'data/text.txt') as absolute:
            return relative.read() + absolute.read() + os.path.dirname(os.path.abspath(__file__))
