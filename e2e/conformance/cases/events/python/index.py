"""What a handler is given as its event."""
import json


def kind(event, context):
    return '%s %s %d' % (type(event).__name__, isinstance(event, bytes), len(event))


def echo(event, context):
    return event


def json_(event, context):
    return json.loads(event)['key']


def writable(event, context):
    return b'J' + event[1:]
