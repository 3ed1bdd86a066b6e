"""Reads forms as Python does: `read_forms.py parse_qsl`, `read_forms.py cgi`, `read_forms.py email`."""

import io
import sys
import warnings
from peer import serve


def raw(text):
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


def parse_qsl():
    from urllib.parse import parse_qsl

    def read(_, body):
        try:
            pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
        except ValueError:
            return None
        return [("v", name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]

    return read


def cgi():
    warnings.simplefilter("ignore")
    import cgi

    def read(content_type, body):
        environment = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body))}
        try:
            form = cgi.FieldStorage(fp=io.BytesIO(body), environ=environment, keep_blank_values=True, errors="surrogateescape")
            values = []
            for part in form.list or []:
                if part.filename:
                    values.append(("f", raw(part.name or ""), raw(part.filename)))
                elif part.name is not None:
                    values.append(("v", raw(part.name), raw(part.value) if not isinstance(part.value, list) else b""))
        except (ValueError, LookupError, TypeError):
            return None
        return values

    return read


def email():
    from email.parser import BytesParser
    from email.policy import compat32

    def read(content_type, body):
        head = b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n"
        message = BytesParser(policy=compat32).parsebytes(head + body)
        if not message.is_multipart():
            return None
        values = []
        for part in message.get_payload():
            try:
                name, file_name = [part.get_param(name, header="content-disposition") for name in ("name", "filename")]
                value = part.get_payload(decode=True)
            except (ValueError, LookupError, TypeError, AttributeError):
                continue
            name, file_name = [text[2] if isinstance(text, tuple) else text for text in (name, file_name)]
            if file_name:
                values.append(("f", raw(name or ""), raw(file_name)))
            elif name is not None and value is not None:
                values.append(("v", raw(name), value))
        return values

    return read


serve({"parse_qsl": parse_qsl, "cgi": cgi, "email": email}[sys.argv[1]]())
