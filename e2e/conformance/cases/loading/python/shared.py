loaded = globals().get('loaded', 0) + 1


def handler(event, context):
    return 'loaded %d time, called with %s' % (loaded, event.decode('ascii'))
