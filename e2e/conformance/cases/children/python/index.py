"""Programs that a handler starts."""
import subprocess
import sys


def output(event, context):
    return subprocess.check_output([sys.executable, '-c', 'import sys; sys.stdout.write("from a child")'])


def shell(event, context):
    return subprocess.check_output('echo from $0; exit 0', shell=True)


def leftBehind(event, context):
    c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])
    return 'started' if c.pid > 0 else 'failed'


LIST = '''
import os, stat, sys
n = []
for i in (3, 4):
    try:
        if stat.S_ISFIFO(os.fstat(i).st_mode):
            n.append(i)
    except OSError:
        pass
sys.stdout.write(','.join(map(str, n)) or 'neither 3 nor 4')
'''


def descriptors(event, context):
    return subprocess.check_output([sys.executable, '-c', LIST], close_fds=False)
