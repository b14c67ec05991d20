"""Copies an object with the credentials of the context, as the guide's OSS examples do with the OSS client. Here the
requests are signed by hand, so that the package holds nothing but this file.
"""
import base64
import email.utils
import hashlib
import hmac
import json
import os
import urllib.request


def send(method, key, credentials, body=None):
    bucket = os.environ['BUCKET_NAME']
    date = email.utils.formatdate(usegmt=True)
    kind = 'application/octet-stream' if body is not None else ''
    token = 'x-oss-security-token:' + credentials.security_token
    text = '\n'.join([method, '', kind, date, token, '/%s/%s' % (bucket, key)])
    mac = hmac.new(credentials.access_key_secret.encode(), text.encode(), hashlib.sha1).digest()
    request = urllib.request.Request('http://%s.oss-%s.aliyuncs.com/%s' % (bucket, os.environ['FC_REGION'], key), data=body, method=method)
    request.add_header('Date', date)
    request.add_header('x-oss-security-token', credentials.security_token)
    request.add_header('Authorization', 'OSS %s:%s' % (credentials.access_key_id, base64.b64encode(mac).decode()))
    if kind:
        request.add_header('Content-Type', kind)
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def handler(event, context):
    copy = json.loads(event)
    content = send('GET', copy['from'], context.credentials)
    send('PUT', copy['to'], context.credentials, content)
    return '%d bytes from %s to %s' % (len(content), copy['from'], copy['to'])
