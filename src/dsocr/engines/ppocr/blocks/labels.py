"""What a paragraph is: title, text, caption, equation, furniture of the page. Ranks titles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from dsocr.engines.ppocr.blocks.regions import share_inside
from dsocr.engines.ppocr.geometry import Line, Rect, Region
from dsocr.engines.ppocr.reading_order.paragraphs import Paragraph, starts_with_mark

NAMES = {
    "text": "text",
    "reference": "text",
    "header": "text",
    "footer": "text",
    "title": "sub_title",
    "figure": "image",
    "figure_caption": "image_caption",
    "table": "table",
    "table_caption": "table_caption",
    "equation": "equation",
}
"""CDLA's classes in the words of DeepSeek-OCR."""

_LARGER = 1.25
_MUCH_LARGER = 1.6
_MAX_TITLE_ROWS = 4
_MAX_TITLE_CHARACTERS = 160
_RUNNING_HEIGHT = 3.3
"""In heights of the text: two rows with their leading."""
_EDGE = 0.1
_LARGER_THAN_TEXT = 1.2
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


@dataclass(frozen=True, slots=True)
class Title:
    """A heading and the height of its letters, to be ranked among the page's others."""

    rect: Rect
    height: float


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
    rect = paragraph.rect
    over = [region for region in regions if share_inside(rect, region.rect) > 0.5]
    region = max(over, key=lambda r: share_inside(r.rect, rect), default=None)
    text = paragraph.rows[0].text
    caption = _CAPTION.match(text)
    if caption and (region is None or region.label != "title"):
        return "image_caption" if caption[1] else "table_caption"
    if region is not None and region.label == "title":
        return (
            "sub_title" if _can_be_title(paragraph) and not _reads_on(paragraph, body) else "text"
        )
    if region is not None and region.label == "equation" and not has_words(text):
        return "equation"
    if region is not None and region.label in ("figure_caption", "table_caption"):
        return NAMES[region.label]
    return "sub_title" if _looks_like_title(paragraph, body) else "text"


def _looks_like_title(paragraph: Paragraph, body: float) -> bool:
    height = median(row.height for row in paragraph.rows)
    return (
        height > _LARGER * body
        and _can_be_title(paragraph)
        and not starts_with_mark(paragraph.rows[0].text)
    )


def _can_be_title(paragraph: Paragraph) -> bool:
    text = " ".join(row.text for row in paragraph.rows)
    letters = sum(char.isalpha() for char in text)
    return (
        len(paragraph.rows) <= _MAX_TITLE_ROWS
        and len(text) <= _MAX_TITLE_CHARACTERS
        and letters >= max(2, 0.4 * len(text.replace(" ", "")))
        and not _is_formula(text)
        and not _BULLET.match(text)
    )


def _reads_on(paragraph: Paragraph, body: float) -> bool:
    """Whether it ends like a sentence, in letters no larger than the text's: a false title."""
    last = paragraph.rows[-1].text.rstrip()
    height = median(row.height for row in paragraph.rows)
    return height < _LARGER * body and last.endswith(_SENTENCE_ENDS)


def _is_formula(text: str) -> bool:
    """Operators between letters, and no word: large, but no heading."""
    return bool(_OPERATOR.search(text)) and not has_words(text)


def has_words(text: str) -> bool:
    """Whether most letters stand in words, as they do not in a formula."""
    letters = sum(char.isalpha() for char in text)
    return 2 * sum(len(word) for word in _WORD.findall(text)) > letters


def title_levels(titles: Sequence[Title], body: float, page_height: float) -> list[int]:
    """1 for the page's own title (large, in its upper half), else 2, and 3 for the smallest."""
    if not titles:
        return []
    largest = max(title.height for title in titles)
    levels: list[int] = []
    for title in titles:
        if title.height > 0.85 * largest:
            on_top = title.rect.y0 < 0.5 * page_height
            levels.append(1 if largest > _MUCH_LARGER * body and on_top else 2)
        else:
            levels.append(2 if 1 not in levels or title.height > 1.15 * body else 3)
    return levels


def is_furniture(
    paragraph: Paragraph, regions: Sequence[Region], *, page_height: float, body: float
) -> bool:
    """Running heads, footers and page numbers: only in the top or bottom tenth of the page.

    What is set larger than the text is no running head but a title, and what has more than two
    rows is the head of a letter.
    """
    rect = paragraph.rect
    if rect.y1 > _EDGE * page_height and rect.y0 < (1 - _EDGE) * page_height:
        return False
    if len(paragraph.rows) == 1 and _PAGE_NUMBER.match(paragraph.rows[0].text):
        return True
    if median(row.height for row in paragraph.rows) > _LARGER_THAN_TEXT * body:
        return False
    return any(
        region.label in ("header", "footer")
        and region.rect.height <= _RUNNING_HEIGHT * body
        and share_inside(rect, region.rect) > 0.5
        for region in regions
    )


def as_list_item(text: str) -> str:
    """A bullet of any shape as markdown's own; numbers stay as they are printed.

    A star or dash before figures and signs is no bullet but a times, a minus, an ornament.
    """
    found = _BULLET.match(text)
    if not found:
        return text
    rest = text[found.end() :].replace(" ", "")
    weak = found[0][0] in "*-\u2013"
    if weak and 2 * sum(char.isalpha() for char in rest) <= len(rest):
        return text
    return f"- {text[found.end() :]}"


def is_worth_reading(lines: Sequence[Line], body: float) -> bool:
    """Whether the writing in a picture is text (a slide, a screenshot), not a chart's ticks."""
    words = [line for line in lines if sum(char.isalpha() for char in line.text) >= 3]
    letters = sum(char.isalpha() for line in words for char in line.text)
    tall = [line for line in words if line.height > 1.2 * body]
    return bool(tall) or (letters >= 40 and len(words) >= 0.5 * len(lines))
