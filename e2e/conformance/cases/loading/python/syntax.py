x = = 1


def handler(event, context):
    return 'never'
