# -*- coding: utf-8 -*-
"""One handler for each way to fail."""
import os
import signal
import sys
import threading
import time


def raised(event, context):
    raise Exception('something is wrong')


class OrderError(ValueError):
    pass


def subclass(event, context):
    raise OrderError('out of stock')


def deep(event, context):
    def deeper():
        return {}['missing']
    for _ in 'x':
        deeper()


def noMessage(event, context):
    raise Exception()


def twoArguments(event, context):
    raise Exception('one', 2)


def unicodeMessage(event, context):
    raise Exception(u'世界 "quoted" \u0007')


def manyLines(event, context):
    raise Exception('one\ntwo\n  File "three", line 4')


def reraised(event, context):
    try:
        raise KeyError('first')
    except KeyError as err:
        raise RuntimeError('second, after %s' % err)


def keyboardInterrupt(event, context):
    raise KeyboardInterrupt()


def badText(event, context):
    class Bad(Exception):
        def __str__(self):
            raise ValueError('no text')
    raise Bad()


def inThread(event, context):
    def fail():
        try:
            raise Exception('in a thread')
        except Exception as err:
            print('caught %s' % err)
    t = threading.Thread(target=fail)
    t.start()
    t.join()
    return 'the handler goes on'


def circular(event, context):
    a = []
    a.append(a)
    return a


class Thing(object):
    def __repr__(self):
        return 'a thing'


def unserialisable(event, context):
    return {'thing': Thing()}


def never(event, context):
    print('waiting')
    time.sleep(60)


def busy(event, context):
    print('busy')
    while True: pass


def sysExit(event, context):
    print('leaving')
    sys.exit(0)


def sysExitOne(event, context):
    sys.exit('a last word')


def osExit(event, context):
    os._exit(1)


def aborted(event, context):
    os.abort()


def terminated(event, context):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)


def killsItself(event, context):
    os.kill(os.getpid(), signal.SIGKILL)
    return 'survived as process %d' % os.getpid()


def memory(event, context):
    kept = [b'%d' % i * (1 << 20) for i in range(1024)] if sys.version_info[0] > 2 else [str(i % 10) * (1 << 20) for i in range(1024)]
    return 'has %d MB' % len(kept)


def memoryError(event, context):
    try:
        return 'has %d' % len(bytearray(1 << 60))
    except MemoryError:
        raise MemoryError('too much')


def recursion(event, context):
    try:
        return recursion(event, context)
    except RuntimeError as err:  # RecursionError is one
        return type(err).__name__ + ' can be caught'


def huge(event, context):
    raise Exception('x' * (300 * 1024))


def tooLarge(event, context):
    return b'x' * (6 * 1024 * 1024 + 1)


calls = 0


def replacement(event, context):
    global calls
    calls += 1
    way = event.decode('ascii')
    if way == 'thrown':
        raise Exception('thrown')
    if way == 'exit':
        os._exit(0)
    if way == 'never':
        time.sleep(60)
    return 'call %d' % calls
