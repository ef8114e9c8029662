"""Which paragraphs are captions of figures and tables."""

from __future__ import annotations

import re
from typing import Literal

from dsocr.exports.text import plain
from dsocr.types import PageResult

LABELS = ("image_caption", "figure_caption", "table_caption")
"""Labels of blocks that are captions."""
MAX_CHARACTERS = 400
"""A longer paragraph that begins like a caption is text."""
_TABLE = r"table|tab\.|tabelle|tableau|tabla|tabela|tabella|таблица|表"
_FIGURE = r"fig(?:ure|\.)?|abb(?:ildung|\.)|figura|рис(?:унок|\.)|图|圖|図"
_START = re.compile(
    rf"(?:(?P<table>{_TABLE})|{_FIGURE})\s*[0-9]+[a-z]?\s*(?:(?P<sign>[.:|：．。—–-])|$|\s(?=\S))",
    re.I,
)


def numbered_kind(text: str) -> Literal["figure", "table"] | None:
    """What a text that begins like "Table 3:" is a caption of; None without number and sign."""
    found = _START.match(text)
    if found is None or not found["sign"]:
        return None
    return "table" if found["table"] else "figure"


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
    if found is None or len(paragraph) > MAX_CHARACTERS:
        return False
    # "Table 3 shows" is a sentence: without a sign after the number, the caption is short.
    return bool(found["sign"]) or len(paragraph) < 60


def _key(text: str) -> str:
    return "".join(text.split())
