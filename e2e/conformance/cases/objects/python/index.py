"""Copies the object that an event names, with the credentials of the context, as the guide's OSS examples do with the OSS
client. Here the requests are signed by hand, so that the package holds nothing but this file.
"""
import base64
import email.utils
import hashlib
import hmac
import json
import logging

try:
    from urllib.request import Request, urlopen
except ImportError:
    from urllib2 import Request, urlopen


def send(method, place, key, credentials, body=None):
    date = email.utils.formatdate(usegmt=True)
    kind = '' if body is None else 'application/octet-stream'
    token = 'x-oss-security-token:' + credentials.security_token
    text = '\n'.join([method, '', kind, date, token, '/%s/%s' % (place['bucket'], key)])
    mac = hmac.new(credentials.access_key_secret.encode(), text.encode(), hashlib.sha1).digest()
    request = Request(str('http://%s.oss-%s.aliyuncs.com/%s' % (place['bucket'], place['region'], key)), data=body)
    request.get_method = lambda: method
    request.add_header('Date', date)
    request.add_header('x-oss-security-token', str(credentials.security_token))
    request.add_header('Authorization', str('OSS %s:%s' % (credentials.access_key_id, base64.b64encode(mac).decode())))
    if kind:
        request.add_header('Content-Type', kind)
    return urlopen(request).read()


def copy(event, context):
    e = json.loads(event)['events'][0]
    place = {'bucket': e['oss']['bucket']['name'], 'region': e['region']}
    source = e['oss']['object']['key']
    target = 'copies/' + context.function.name
    content = send('GET', place, source, context.credentials)
    logging.info('%d bytes of %s', len(content), source)
    send('PUT', place, target, context.credentials, content)
    return {'bytes': len(content), 'from': source, 'to': target}
