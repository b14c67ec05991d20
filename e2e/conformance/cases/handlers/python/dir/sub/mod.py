import os


def handler(event, context):
    return os.path.abspath(__file__).replace(".pyc", ".py")
