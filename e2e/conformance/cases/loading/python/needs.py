import missing_part


def handler(event, context):
    return missing_part
