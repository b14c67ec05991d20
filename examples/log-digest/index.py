"""Follows a logstore: reads the range of logs that a log trigger names, with the keys of the service's role, and says what
it found. A message that begins with ERROR is written out, the others are counted.

Only Python's own library is used, so this is also how the protocol of Log Service looks: a signed request, an answer
packed with LZ4, a protobuf list of log groups.
"""
import base64
import hashlib
import hmac
import json
import logging
from email.utils import formatdate
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen


def handler(event, context):
    job = json.loads(event)
    source, count, log = job["source"], 0, logging.getLogger()
    for line in pull(source, context.credentials):
        count += 1
        if line.get("message", "").startswith("ERROR"):
            log.error("%s in shard %d: %s", source["logstoreName"], source["shardId"], line["message"])
    log.info("%d logs of %s, shard %d, task %s", count, source["logstoreName"], source["shardId"], job["taskId"])
    return {"taskId": job["taskId"], "count": count}


def pull(source, credentials):
    """The logs from beginCursor on, until the next cursor is endCursor."""
    cursor, end = source["beginCursor"], source["endCursor"]
    while cursor != end:
        params = {"type": "logs", "cursor": cursor, "end_cursor": end, "count": "1000"}
        headers, body = get(source, "/logstores/%s/shards/%d" % (source["logstoreName"], source["shardId"]), params, credentials)
        size = int(headers["x-log-bodyrawsize"])
        if size and headers.get("x-log-compresstype") == "lz4":
            body = unpack(body, size)
        for _, group in fields(body):
            for number, log in fields(group):
                if number == 1:
                    yield dict(pair(c) for n, c in fields(log) if n == 2)
        cursor = headers["x-log-cursor"]


def get(source, path, params, credentials):
    """One signed request to the project."""
    scheme, host = urlsplit(source["endpoint"])[:2]
    headers = {"x-log-apiversion": "0.6.0", "x-log-signaturemethod": "hmac-sha1", "x-log-bodyrawsize": "0"}
    if credentials.security_token:
        headers["x-acs-security-token"] = credentials.security_token
    date = formatdate(usegmt=True)
    lines = ["GET", "", "", date] + ["%s:%s" % h for h in sorted(headers.items())]
    lines.append(path + "?" + "&".join("%s=%s" % p for p in sorted(params.items())))
    digest = hmac.new(credentials.access_key_secret.encode(), "\n".join(lines).encode(), hashlib.sha1).digest()
    headers["Date"] = date
    headers["Accept-Encoding"] = "lz4"
    headers["Authorization"] = "LOG %s:%s" % (credentials.access_key_id, base64.b64encode(digest).decode())
    url = "%s://%s.%s%s?%s" % (scheme, source["projectName"], host, path, urlencode(params))
    with urlopen(Request(url, headers=headers), timeout=30) as answer:
        return answer.headers, answer.read()


def pair(content):
    """The key and the value of a log's content."""
    return tuple(value.decode("utf-8", "replace") for _, value in fields(content))


def fields(message):
    """The fields of a protobuf message: number, and bytes or an int."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = varint(message, at)
        elif kind == 5:
            value, at = int.from_bytes(message[at:at + 4], "little"), at + 4
        elif kind == 2:
            size, at = varint(message, at)
            value, at = message[at:at + size], at + size
        else:
            raise ValueError("protobuf field of kind %d" % kind)
        yield number, value


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def unpack(block, size):
    """The bytes of an LZ4 block."""
    out, at = bytearray(), 0

    def length(n):
        nonlocal at
        more = 255 if n == 15 else 0
        while more == 255:
            more, at = block[at], at + 1
            n += more
        return n

    while at < len(block):
        token, at = block[at], at + 1
        n = length(token >> 4)
        out += block[at:at + n]
        at += n
        if at >= len(block):
            break
        distance, at = block[at] | block[at + 1] << 8, at + 2
        for _ in range(length(token & 15) + 4):
            out.append(out[-distance])
    if len(out) != size:
        raise ValueError("the answer has %d bytes, not %d" % (len(out), size))
    return bytes(out)
