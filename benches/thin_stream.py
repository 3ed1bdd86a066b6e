"""Writes COUNT requests of a stream, evenly spaced, to standard output: thin_stream.py STREAM COUNT.

A stream holds, for each request, its length in four bytes, the lowest first, and the request."""
import sys

stream, count = open(sys.argv[1], "rb").read(), int(sys.argv[2])
requests, at = [], 0
while at < len(stream):
    end = at + 4 + int.from_bytes(stream[at : at + 4], "little")
    requests.append(stream[at:end])
    at = end
sys.stdout.buffer.writelines(requests[number * len(requests) // count] for number in range(count))
