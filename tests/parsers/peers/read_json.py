"""Reads JSON as Python does, bytes as it decodes them itself."""

import json
from peer import serve


def flatten(value, name, values):
    if isinstance(value, dict):
        for key, member in value.items():
            flatten(member, name + b"." + (key.encode("utf-8", "surrogatepass") or b"empty-key"), values)
    elif isinstance(value, list):
        for place, element in enumerate(value):
            flatten(element, name + b".array_%d" % place, values)
    else:
        words = {None: "", True: "true", False: "false"}
        text = value if isinstance(value, str) else words[value]
        values.append(("v", name, text.encode("utf-8", "surrogatepass")))


def read(_, body):
    try:
        # Numbers keep their text.
        document = json.loads(body, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    values = []
    flatten(document, b"json", values)
    return values


serve(read)
