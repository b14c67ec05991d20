def handler(event, context):
    return "no package"
