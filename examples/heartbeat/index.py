"""Says each time a timer trigger fires that it did, and when it should have."""
import json
import logging


def handler(event, context):
    tick = json.loads(event)
    logging.getLogger().info("%s fired for %s with payload %s",
                             tick["triggerName"], tick["triggerTime"], tick["payload"])
    return "alive"
