"""Labels a paragraph: title, text, caption, equation, header, footer or page number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median

from dsocr.engines.ppocr.geometry import BOX_MARKS, Line, Rect, Region, share_inside
from dsocr.engines.ppocr.reading_order.paragraphs import Paragraph, starts_with_list_mark

_CAPTION_LABELS = {"figure_caption": "image_caption", "table_caption": "table_caption"}
"""Captions of the layout model in the words of DeepSeek-OCR."""

FURNITURE = ("header", "footer", "page_number")
"""What may repeat on other pages: whether it does is known when all pages are read."""

_LARGER = 1.25  # than the text
_MAX_TITLE_ROWS = 4
_MIN_ADDRESS_ROWS = 3
_MAX_TITLE_CHARACTERS = 160
_MAX_FURNITURE_HEIGHT = 3.3  # in heights of the text: two rows with their leading
_MAX_FURNITURE_SIZE = 1.2  # in heights of the text
_EDGE = 0.1  # of the page
_TALL = 1.2  # in heights of the text
_MIN_TEXT_LETTERS = 40
_PAGE_NUMBER = re.compile(
    r"^\W*(?:page|seite|p\.|第)?\s*\d{1,4}(?:\s*(?:of|/|von)\s*\d{1,4})?\s*(?:页|頁|ページ)?\W*$",
    re.I,
)
_BULLET = re.compile(
    r"^(?:[\u2022\u2023\u25cf\u25aa\u25a0\u25c6\u2666\u25ba\u27a2\u00b7]\s*|[*\u2013-]\s+)(?=\S)"
)
_CAPTION = re.compile(
    r"^(?:(fig(?:ure|\.)?|abbildung|abb\.|图|圖)|(table|tab\.|tabelle|tableau|表))\s*[\dIVX一-十]+[\s.:：|-]",
    re.I,
)

_OPERATOR = re.compile(r"[=\u2200-\u22ff]")
_WORD = re.compile(r"[^\W\d_]{3,}|[\u3040-\u30ff\u3400-\u9fff]+")
_SENTENCE_ENDS = (".", ",", ";", "\u3002", "\uff0c", "\uff1b")


def body_height(lines: Sequence[Line]) -> float:
    """The usual height of a line of running text: that of the middle character."""
    heights = sorted((line.height, len(line.text)) for line in lines)
    middle = sum(count for _, count in heights) / 2
    for height, count in heights:
        middle -= count
        if middle <= 0:
            return height
    return 0.0


def label_of(paragraph: Paragraph, regions: Sequence[Region], body: float) -> str:
    """DeepSeek-OCR's name for a paragraph of text, from its region, its words and its size."""
    region = _region_of(paragraph.rect, regions)
    label = region.label if region is not None else None
    text = paragraph.rows[0].text
    caption = _CAPTION.match(text)
    if caption and label != "title":
        return "image_caption" if caption[1] else "table_caption"
    if label == "title":
        is_text = _is_text_size_sentence(paragraph, body) or _is_address(paragraph, body)
        return "sub_title" if _can_be_title(paragraph) and not is_text else "text"
    if label == "equation" and not has_words(text):
        return "equation"
    if label in _CAPTION_LABELS:
        return _CAPTION_LABELS[label]
    return "sub_title" if _looks_like_title(paragraph, body) else "text"


def _region_of(rect: Rect, regions: Sequence[Region]) -> Region | None:
    """Of the regions that hold most of the rectangle, the one that it fills best."""
    around = [region for region in regions if share_inside(rect, region.rect) > 0.5]
    return max(around, key=lambda region: share_inside(region.rect, rect), default=None)


def _looks_like_title(paragraph: Paragraph, body: float) -> bool:
    height = median(row.height for row in paragraph.rows)
    return (
        height > _LARGER * body
        and _can_be_title(paragraph)
        and not starts_with_list_mark(paragraph.rows[0].text)
    )


def _can_be_title(paragraph: Paragraph) -> bool:
    text = " ".join(row.text for row in paragraph.rows)
    letters = sum(char.isalpha() for char in text)
    return (
        len(paragraph.rows) <= _MAX_TITLE_ROWS
        and not _is_list_of_values(paragraph)
        and len(text) <= _MAX_TITLE_CHARACTERS
        and letters >= max(2, 0.4 * len(text.replace(" ", "")))
        and not _is_formula(text)
        and not _BULLET.match(text)
        and not text.startswith(BOX_MARKS)
    )


def _is_list_of_values(paragraph: Paragraph) -> bool:
    """Whether it has several rows, most with a value far from their label."""
    wide = sum(row.has_wide_gap for row in paragraph.rows)
    return len(paragraph.rows) > 1 and 2 * wide > len(paragraph.rows)


def _is_text_size_sentence(paragraph: Paragraph, body: float) -> bool:
    """Whether it ends like a sentence, in letters no larger than the text's: a false title."""
    last = paragraph.rows[-1].text.rstrip()
    height = median(row.height for row in paragraph.rows)
    return height < _LARGER * body and last.endswith(_SENTENCE_ENDS)


def _is_address(paragraph: Paragraph, body: float) -> bool:
    """Whether it has several rows that each stand for itself, a number in one, in text size."""
    height = median(row.height for row in paragraph.rows)
    has_number = any(char.isdigit() for row in paragraph.rows for char in row.text)
    is_several = len(paragraph.rows) >= _MIN_ADDRESS_ROWS and not paragraph.flowing
    return is_several and has_number and height < _LARGER * body


def _is_formula(text: str) -> bool:
    """Whether it has operators and no words: large, but no heading."""
    return bool(_OPERATOR.search(text)) and not has_words(text)


def has_words(text: str) -> bool:
    """Whether most letters belong to words, as in no formula."""
    letters = sum(char.isalpha() for char in text)
    return 2 * sum(len(word) for word in _WORD.findall(text)) > letters


def furniture_label(
    paragraph: Paragraph, regions: Sequence[Region], *, page_height: float, body: float
) -> str | None:
    """One of `FURNITURE` for what may be that, in the outer tenth of the page.

    Larger letters than the text's are a title, and more than two rows are the head of a letter.
    """
    rect = paragraph.rect
    if rect.y1 > _EDGE * page_height and rect.y0 < (1 - _EDGE) * page_height:
        return None
    if len(paragraph.rows) == 1 and _PAGE_NUMBER.match(paragraph.rows[0].text):
        return "page_number"
    if median(row.height for row in paragraph.rows) > _MAX_FURNITURE_SIZE * body:
        return None
    found = any(
        region.label in ("header", "footer")
        and region.rect.height <= _MAX_FURNITURE_HEIGHT * body
        and share_inside(rect, region.rect) > 0.5
        for region in regions
    )
    if not found:
        return None
    return "header" if rect.y1 <= _EDGE * page_height else "footer"


def as_list_item(text: str) -> str:
    """A bullet of any shape as markdown's own; numbers stay as they are printed.

    A star or dash before digits and signs is no bullet: a times sign, a minus, an ornament.
    """
    bullet = _BULLET.match(text)
    if not bullet:
        return text
    rest = text[bullet.end() :]
    characters = rest.replace(" ", "")
    is_weak = bullet[0][0] in "*-\u2013"
    if is_weak and 2 * sum(char.isalpha() for char in characters) <= len(characters):
        return text
    return f"- {rest}"


def is_worth_reading(lines: Sequence[Line], body: float) -> bool:
    """Whether the lines in a picture are text (a slide, a screenshot), not a chart's ticks."""
    words = [line for line in lines if sum(char.isalpha() for char in line.text) >= 3]
    letters = sum(char.isalpha() for line in words for char in line.text)
    tall = [line for line in words if line.height > _TALL * body]
    return bool(tall) or (letters >= _MIN_TEXT_LETTERS and len(words) >= 0.5 * len(lines))
