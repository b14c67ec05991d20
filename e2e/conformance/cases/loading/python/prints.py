import logging

logging.getLogger().info('printed while loading')


def handler(event, context):
    return 'loaded'
