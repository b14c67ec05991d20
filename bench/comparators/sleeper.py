import time


# Holds its instance, so that what is queued behind it stays queued.
def handler(event, context):
    time.sleep(290)
