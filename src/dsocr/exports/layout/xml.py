"""Text and attributes of XML. A document's text is untrusted: it may have any character."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """Escaped, for an element or an attribute in double quotes; characters that XML does not have
    are left out."""
    return (
        text
        if text.isalnum()
        else escape(_NO_XML.sub("", text), {'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})
    )


def attributes(**values: object) -> str:
    """Attributes in double quotes, each after a blank; those with the value None are left out."""
    return "".join(
        f' {name}="{xml_text(str(value))}"' for name, value in values.items() if value is not None
    )
