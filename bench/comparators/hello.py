import json


# The measured handler: reads a JSON event, answers with a little JSON.
def handler(event, context):
    order = json.loads(event)
    return json.dumps({'id': order['id'], 'items': len(order['items'])})
