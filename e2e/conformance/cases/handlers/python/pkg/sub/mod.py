def handler(event, context):
    return "pkg.sub.mod"
