"""What the examples of the developer guide do."""
import json
import logging
import os


def hello(event, context):
    logger = logging.getLogger()
    logger.info('hello world')
    return 'hello world'


def error(event, context):
    print('about to fail')
    raise Exception('something is wrong')


count = 0


def initialize(context):
    global count
    count += 1


def counter(event, context):
    global count
    count += 1
    return count


def logging_(event, context):
    logger = logging.getLogger()
    logger.info('an info line')
    logger.warning('a warning')
    logger.error('an error')
    return 'logged'


def variable(event, context):
    return os.environ.get('BUCKET_NAME')


def timer(event, context):
    tick = json.loads(event)
    logging.getLogger().info('%s at %s', tick['triggerName'], tick['triggerTime'])
    return tick['payload']


def oss(event, context):
    e = json.loads(event)['events'][0]
    return '%s %s %s %d' % (e['eventName'], e['oss']['bucket']['name'], e['oss']['object']['key'], e['oss']['object']['size'])
