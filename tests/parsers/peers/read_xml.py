"""Reads XML as applications do: `read_xml.py expat`, `read_xml.py expat-pe` (with parameter entities), `read_xml.py libxml2`.

The answer to a body holds the text of the root, and the value of each attribute."""

import sys
from peer import serve


def expat(parameter_entities):
    from xml.parsers import expat

    def read(_, body):
        text, values = [], []

        def start(_, attributes):
            pairs = zip(attributes[::2], attributes[1::2])
            values.extend(("v", b"", value.encode()) for name, value in pairs if name.split(":")[0] != "xmlns")

        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.ordered_attributes = True
        if parameter_entities:
            parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_ALWAYS)
        parser.StartElementHandler = start
        parser.CharacterDataHandler = text.append
        try:
            parser.Parse(body, True)
        except (expat.ExpatError, LookupError, ValueError):
            return None
        return [("v", b"text", "".join(text).encode())] + values

    return read


def libxml2():
    from lxml import etree

    def read(_, body):
        parser = etree.XMLParser(resolve_entities=True, attribute_defaults=True, no_network=True, load_dtd=False, huge_tree=False)
        try:
            root = etree.fromstring(body, parser)
        except (etree.XMLSyntaxError, ValueError):
            return None
        text = root.xpath("string(.)")
        values = [("v", b"", value.encode()) for value in root.xpath("//@*")]
        return [("v", b"text", text.encode())] + values

    return read


kinds = {"expat": lambda: expat(False), "expat-pe": lambda: expat(True), "libxml2": libxml2}
serve(kinds[sys.argv[1]]())
