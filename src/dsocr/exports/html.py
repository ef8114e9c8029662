"""A document as one self-contained web page: no script, no request, figures inside.

Three layers of protection: the fragment is sanitised, then rewritten tag by tag from a parse, and
the page's content security policy forbids scripts and requests.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser
from typing import BinaryIO

from dsocr.exports import Assets
from dsocr.exports.figures import crop_figures
from dsocr.exports.language.direction import has_right_to_left
from dsocr.exports.markdown import page_text
from dsocr.exports.markup.footnotes import REFERENCE, split_footnotes
from dsocr.exports.markup.formula import to_mathml
from dsocr.exports.markup.safe_html import ATTRIBUTES, FORMULA, TAGS, to_safe_html
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.types import Document, PageResult

CSS = """
:root { color-scheme: light dark; }
body { margin: 0 auto; max-width: 50rem; padding: 2rem 1.25rem; overflow-wrap: break-word;
  font: 1rem/1.6 system-ui, sans-serif; }
section + section { margin-top: 3rem; border-top: 1px solid #8886; padding-top: 1.5rem; }
.number { color: #777; font-size: .8rem; margin: 0; }
.failed { border-left: 3px solid #c33; padding-left: .75rem; }
img { max-width: 100%; height: auto; }
pre { overflow-x: auto; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid #8888; padding: .25rem .6rem; text-align: left; vertical-align: top; }
@media print { section { break-before: page; border: 0 !important; } }
"""

_CSS_HASH = base64.b64encode(hashlib.sha256(CSS.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; img-src data:; style-src 'sha256-{_CSS_HASH}'; base-uri 'none'; "
    "form-action 'none'"
)

_EMPTY = {"br", "hr", "img"}
_BLOCKS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "li"}) | {
    *("table", "caption", "td", "th")
}
_SCHEMES = ("http://", "https://", "mailto:", "#page-")


def write(
    document: Document,
    out: BinaryIO,
    assets: Assets | None = None,
    options: ExportOptions = DEFAULTS,
) -> None:
    """UTF-8; a section a page, figures as `data:` images, formulas as MathML, footnotes at the
    end of their page."""
    out.write(_head(document.name).encode())
    for page in document.pages:
        out.write(f"{_section(page, assets)}\n".encode())
    out.write(b"</body>\n</html>\n")


def _head(title: str) -> str:
    return f"""<!doctype html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escape(title)}</title>
<style>{CSS}</style>
</head>
<body>
"""


def _section(page: PageResult, assets: Assets | None) -> str:
    number = page.index + 1
    text, notes = split_footnotes(page_text(page))
    directions = has_right_to_left(text)
    writer = _Writer(crop_figures(page, assets), _Notes(number, notes), directions=directions)
    writer.write(text)
    writer.write_notes()
    failed = ' class="failed"' if page.error else ""
    return (
        f'<section id="page-{number}"{failed}>\n<p class="number">Page {number}</p>\n'
        f"{writer.html()}</section>"
    )


@dataclass(slots=True)
class _Notes:
    """The footnotes of a page by their labels, and the places of those that are referred to."""

    page: int
    texts: dict[str, str]
    places: dict[str, int] = field(default_factory=dict)
    """From 1, in the order of their first references."""

    def reference(self, label: str) -> str:
        """A link to the footnote; the first one is where its own link leads back to."""
        id = ""
        if label not in self.places:
            self.places[label] = len(self.places) + 1
            id = f' id="{self._anchor("ref", label)}"'
        return f'<sup{id}><a href="#{self._anchor("note", label)}">{escape(label)}</a></sup>'

    def start(self, label: str) -> str:
        """The start of its element, with a link back to the text."""
        back = f'<a href="#{self._anchor("ref", label)}">{escape(label)}</a>'
        return f'<aside id="{self._anchor("note", label)}"><small><sup>{back}</sup> '

    def _anchor(self, kind: str, label: str) -> str:
        return f"page-{self.page}-{kind}-{self.places[label]}"


class _Writer(HTMLParser):
    """Rewrites a sanitised fragment: known tags, escaped text, figures as data URLs, MathML, and
    links of footnotes."""

    def __init__(self, figures: dict[str, bytes], notes: _Notes, *, directions: bool) -> None:
        """`directions`: each block runs as its own text does, from the right or from the left."""
        super().__init__(convert_charrefs=True)
        self._directions = directions
        self._figures = figures
        self._notes = notes
        self._parts: list[str] = []
        self._code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self._figure({name: value or "" for name, value in attrs})
        elif tag in TAGS:
            self._code += tag in ("pre", "code")
            kept = [(n, v or "") for n, v in attrs if n in ATTRIBUTES.get(tag, set())]
            # Another relative link than to a page has no target in a file on its own.
            kept = [(n, v) for n, v in kept if n != "href" or v.startswith(_SCHEMES)]
            if self._directions and tag in _BLOCKS:
                kept.append(("dir", "auto"))
            written = "".join(f' {name}="{escape(value)}"' for name, value in kept)
            self._parts.append(f"<{tag}{written}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in TAGS and tag not in _EMPTY:
            self._code -= tag in ("pre", "code")
            self._parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._code:
            self._parts.append(escape(data))
            return
        at = 0
        for found in FORMULA.finditer(data):
            mathml = to_mathml(found[1] or found[2], block=found[2] is not None)
            self._parts += [self._text(data[at : found.start()]), mathml or escape(found[0])]
            at = found.end()
        self._parts.append(self._text(data[at:]))

    def write(self, markdown: str) -> None:
        self.feed(to_safe_html(markdown))
        self.close()
        self.reset()

    def write_notes(self) -> None:
        """The footnotes that were referred to, also by footnotes before them."""
        written = 0
        while labels := list(self._notes.places)[written:]:
            self._parts.append(self._notes.start(labels[0]))
            begin = len(self._parts)
            self.write(self._notes.texts[labels[0]])
            note = "".join(self._parts[begin:]).strip()
            self._parts[begin:] = [_unwrapped(note), "</small></aside>\n"]
            written += 1

    def _text(self, data: str) -> str:
        parts: list[str] = []
        at = 0
        for found in REFERENCE.finditer(data):
            if found[1] in self._notes.texts:
                parts += [escape(data[at : found.start()]), self._notes.reference(found[1])]
                at = found.end()
        return "".join([*parts, escape(data[at:])])

    def html(self) -> str:
        return "".join(self._parts)

    def _figure(self, attributes: dict[str, str]) -> None:
        content = self._figures.get(attributes.get("src", ""))
        alt = escape(attributes.get("alt", ""))
        if content is None:
            self._parts.append(alt)
            return
        data = base64.b64encode(content).decode()
        self._parts.append(f'<img src="data:image/jpeg;base64,{data}" alt="{alt}">')


def _unwrapped(note: str) -> str:
    """A note of one paragraph without the tags of it, to stand beside its number."""
    found = re.fullmatch(r"<p(?: dir=\"auto\")?>((?:(?!<p\b).)*)</p>", note, re.S)
    return found[1] if found else note
