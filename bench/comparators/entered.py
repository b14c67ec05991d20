import time


# Says when it was entered, and for which object or timer.
def handler(event, context):
    entered = time.time()
    print('entered %.6f %s' % (entered, event.decode()))
    return ''
