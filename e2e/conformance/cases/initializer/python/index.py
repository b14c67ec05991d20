"""Initializers and handlers that see what they did."""
import logging
import os
import time

count = 0
tries = 0
seen = ''


def counterInit(context):
    global count
    logging.getLogger().info('initializing')
    count = 10
    return 'nobody sees this'


def counter(event, context):
    global count
    count += 1
    return str(count)


def failsTwice(context):
    global tries
    tries += 1
    if tries < 3:
        raise Exception('attempt %d' % tries)


def throwsAlways(context):
    raise Exception('cannot start')


def never(context):
    time.sleep(60)


def leave(context):
    os._exit(1)


def contextInit(context):
    global seen
    seen = '%s %s %s' % (context.request_id, context.credentials.access_key_id[:4], context.function.initializer)


def context(event, context):
    return '%s %s' % (seen, str(seen.startswith(context.request_id)).lower())


def otherState(event, context):
    import other
    return other.made
