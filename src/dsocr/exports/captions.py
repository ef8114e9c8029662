"""Which paragraphs are captions of figures and tables."""

from __future__ import annotations

import re

from dsocr.exports.text import plain
from dsocr.types import PageResult

LABELS = ("image_caption", "figure_caption", "table_caption")
"""Labels of blocks that are captions."""
MAX_CHARACTERS = 400
"""A longer paragraph that begins like a caption is text."""
_START = re.compile(
    r"(?:fig(?:ure|\.)?|table|tab\.|abb(?:ildung|\.)|tabelle|tableau|figura|tabla|tabela|tabella|"
    r"рис(?:унок|\.)|таблица|图|圖|図|表)\s*[0-9]+[a-z]?\s*(?:[.:|：．。—–-]|$|\s(?=\S))",
    re.I,
)


def page_captions(page: PageResult) -> frozenset[str]:
    """The texts of the page's caption blocks, without blanks."""
    return frozenset(
        _key(plain(block.text)) for block in page.blocks if block.label in LABELS and block.text
    )


def is_caption(paragraph: str, captions: frozenset[str] = frozenset()) -> bool:
    """Whether a paragraph is one of `captions`, or reads like "Figure 3: ..."."""
    if _key(paragraph) in captions:
        return True
    found = _START.match(paragraph.strip())
    return bool(found) and len(paragraph) <= MAX_CHARACTERS and _ends_number(found, paragraph)


def _ends_number(found: re.Match[str] | None, paragraph: str) -> bool:
    """ "Table 3 shows" is a sentence: without a sign after the number, the caption is short."""
    return found is not None and (found[0].strip()[-1:] in ".:|：．。—–-" or len(paragraph) < 60)


def _key(text: str) -> str:
    return "".join(text.split())
