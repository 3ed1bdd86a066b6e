"""Writes a part of a stream to standard output: COUNT requests, evenly spaced, or those that are shorter than BYTES.

    thin_stream.py STREAM COUNT
    thin_stream.py STREAM --below BYTES

A stream holds, for each request, its length in four bytes, the lowest first, and the request."""
import sys


def requests(stream):
    at = 0
    while at < len(stream):
        end = at + 4 + int.from_bytes(stream[at : at + 4], "little")
        yield stream[at:end]
        at = end


every = list(requests(open(sys.argv[1], "rb").read()))
limit = int(sys.argv[-1])
if sys.argv[2] == "--below":
    chosen = [one for one in every if len(one) - 4 < limit]
else:
    chosen = [every[number * len(every) // limit] for number in range(limit)]
sys.stdout.buffer.writelines(chosen)
