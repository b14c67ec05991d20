def handler(event, context):
    return "the user's own time"
