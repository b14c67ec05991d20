# -*- coding: utf-8 -*-
"""What a handler writes and where it ends up."""
from __future__ import print_function

import logging
import os
import subprocess
import sys
import threading

logger = logging.getLogger()


def levels(event, context):
    for name in ('debug', 'info', 'warning', 'error', 'critical'):
        getattr(logger, name)(name)
    logger.log(25, 'between info and warning')


def contextLogger(event, context):
    for name in ('debug', 'info', 'warning', 'error', 'critical'):
        getattr(context.logger, name)(name)


calls = 0


def setLevel(event, context):
    global calls
    calls += 1
    if calls == 1:
        logger.setLevel(logging.WARNING)
    else:
        logger.info('still dropped')
        logger.setLevel(logging.DEBUG)
    for name in ('error', 'warning', 'info', 'debug'):
        getattr(logger, name)(name)


def format(event, context):
    logger.info('%s is %d of %r', 'this', 1, [1])
    logger.info('100%')
    logger.info({'a': 1})


def manyLines(event, context):
    logger.info('one\ntwo\n\nfour\n')


def unicode(event, context):
    logger.info(u'h\u00e9llo \u4e16\u754c \U0001f600 \t "quoted" \\')


def raw(event, context):
    print('one\ntwo')
    sys.stdout.write('three\n')


def rawError(event, context):
    sys.stderr.write('one\ntwo\n')


def empty(event, context):
    print()
    print()
    print('third')


def unterminated(event, context):
    sys.stdout.write('no newline')


def parts(event, context):
    sys.stdout.write('one ')
    sys.stdout.flush()
    sys.stdout.write('record\n')


def binary(event, context):
    os.write(1, b'a\x00\x01\xff\xfe\x80b\r\n\xe4\xb8\n')


def say(text):
    # The interpreter itself as a child that shares standard output: there need not be another program.
    subprocess.call([sys.executable, '-c', 'import os; os.write(1, %r)' % text.encode('ascii')])


def mixed(event, context):
    print('1 raw')
    logger.info('2 logged')
    say('3 child\n')
    os.write(1, b'4 by descriptor\n')
    say('5 child')
    print('\n6 raw')
    logger.info('7 logged')


def child(event, context):
    say('a line of the child\nno newline at its end')


def speak():
    logger.info('logged late')
    os.write(1, b'raw late\n')


def late(event, context):
    t = threading.Timer(0.5, speak)
    t.daemon = True
    t.start()
    return 'answered'


def exception(event, context):
    try:
        raise ValueError('wrong')
    except ValueError:
        logger.exception('it failed')


def ownLogger(event, context):
    own = logging.getLogger('my.part')
    own.info('by my part')
    own.debug('dropped')


def longLine(event, context):
    print('x' * (70 * 1024))


def idOfCall(event, context):
    logger.info('%s has its own id: %s', event.decode('ascii'), context.request_id)


def failed(event, context):
    logger.info('before')
    print('raw before')
    raise Exception('failed')
