made = ''


def init(context):
    global made
    made = 'made by other.py'
