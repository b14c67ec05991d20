"""What a handler is told about its call."""
import json
import logging
import os


def init(context):
    pass


def shown(event, context):
    return json.dumps(json.loads(context.to_json()), indent=1, sort_keys=True)


def fields(event, context):
    lines = []

    def walk(path, x):
        for key in sorted(vars(x)):
            value = getattr(x, key)
            if hasattr(value, '__dict__') and not isinstance(value, logging.Logger):
                lines.append('%s%s: object' % (path, key))
                walk(path + key + '.', value)
            else:
                lines.append('%s%s: %s %s' % (path, key, type(value).__name__, '' if key == 'logger' else value))
    walk('', context)
    lines.append('logger is the root logger: %s' % (context.logger is logging.getLogger()))
    return '\n'.join(lines)


def keys(event, context):
    c = context.credentials
    return ' '.join(str(x) for x in [
        c.access_key_id[:4], len(c.access_key_secret) > 0, len(c.security_token) > 0,
        c.access_key_id == os.environ['accessKeyID'], c.access_key_secret == os.environ['accessKeySecret'],
        c.security_token == os.environ['securityToken']]).replace('True', 'true')


def text(event, context):
    return '%s %s' % (str(context) == context.to_json(), json.loads(str(context))['requestId'] == context.request_id)


last = None


def eachCall(event, context):
    global last
    same = last is context
    same_id = last is not None and last.request_id == context.request_id
    last = context
    return '%s %s' % (same, same_id)
