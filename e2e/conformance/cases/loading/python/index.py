def handler(event, context):
    return 'here'
