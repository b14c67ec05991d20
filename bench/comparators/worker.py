import importlib.util
import struct
import sys

# A handler behind a pipe: python3 worker.py HANDLER. A frame is its length, four bytes, and its bytes, both ways.
spec = importlib.util.spec_from_file_location('handler', sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
read, write, flush = sys.stdin.buffer.read, sys.stdout.buffer.write, sys.stdout.buffer.flush
while True:
    head = read(4)
    if len(head) < 4:
        break
    result = module.handler(read(struct.unpack('>I', head)[0]), None).encode()
    write(struct.pack('>I', len(result)) + result)
    flush()
