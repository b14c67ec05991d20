"""What a handler's name leads to."""


def handler(event, context):
    return 'index ' + __name__


not_a_function = 42


class Greeter(object):
    def __call__(self, event, context):
        return b'hello ' + event


greet = Greeter()


def defaults(event, context, more='by default'):
    return more
