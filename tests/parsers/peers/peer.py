"""The conversation with the test: bodies come in, what a parser reads of them goes out."""

import sys


def serve(read):
    """Answers each body with what `read(content_type, body)` gives: a list of (kind, name, value), or None for a body that is refused."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(b"ready\n")
    answers.flush()
    while True:
        lengths = [requests.readline(), requests.readline()]
        if not lengths[0]:
            return
        content_type, body = [requests.read(int(length)) for length in lengths]
        values = read(content_type.decode("latin-1"), body)
        items = ["-"] if values is None else ["%s:%s:%s" % (kind, name.hex(), value.hex()) for kind, name, value in values]
        answers.write(" ".join(items).encode() + b"\n")
        answers.flush()
