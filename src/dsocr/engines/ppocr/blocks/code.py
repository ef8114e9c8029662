"""Finds code and terminal output: rows in a font of one width, which keep their indents."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from math import atan2, cos, pi, sin
from statistics import median

import numpy as np

from dsocr.engines.ppocr.blocks.finished import FinishedBlock
from dsocr.engines.ppocr.geometry import Line, enclose
from dsocr.engines.ppocr.reading_order.items import line_rows

Row = list[Line]

_MIN_ROWS = 3
_MIN_EVIDENCE = 0.4  # of a block's rows
_MAX_BETWEEN = 4  # rows without evidence
_MAX_STEP = 5.0  # of a row's height
_MIN_LENGTH = 3  # characters: shorter lines measure no pitch
_MIN_MEASURED = 3  # lines
_EXACT, _ROUNDING = 0.025, 0.4  # of a line's width, of a character
_MIN_EXACT = 0.85  # of the characters
_OTHER, _MARGIN = 0.12, 0.6  # of a line's width, of a character
_MAX_BLANK_ROWS = 2
_CODE = re.compile(
    r"""[{};]\s*$ | ^\W+$ | \"\"\" | ''' | ^\s*(?://|/\*|\#!|</?\w)
    | ^(?:\d{1,4}\s+)?(?:return|import|from|else|try|break|pass|continue|end|fi|done|export)\b
        \W*\S*\W*$
    | ^(?:\d{1,4}\s+)?(?:def|class|func|fn|let|const|var|public|private|static|void|int|if|elif|else
        |for|while|with|except|catch|switch|case|return|print|echo|struct|interface|function)\b
        .*[:;{()=\])]
    | \b[a-z_][\w.]*\( | \w\s*(?:==|!=|\+=|-=|:=|=>|->|&&|\|\||::)\s*\S
    | ^\s*[\w.\[\]]+\s*=\s*\S | ^\s*"[^"]+"\s*: | \b(?:SELECT|INSERT|UPDATE|CREATE|WHERE)\b""",
    re.VERBOSE,
)
_TERMINAL = re.compile(
    r"""^\s*[$%\#>]\s?[a-z./~] | ^[\w.-]+@[\w.-]+[:~].*[$\#] | ^[A-Z]:\\[^>]*> | ^PS\s
    | ^\[?\d{4}-\d\d-\d\d[T\s]\d\d:\d\d | ^\[?\d\d:\d\d:\d\d | ^[d-][rwx-]{9}
    | (?:^|\s)/\w[\w.-]*(?:/[\w.-]*)* | \b(?:ERROR|WARN|WARNING|INFO|DEBUG|FATAL)\b | ^Traceback""",
    re.VERBOSE,
)
_ITEM = re.compile(r"^(?:\d{1,3}|[a-z])[.)]\s+[^\W\d_]{2,}")
"""An item of a list, which may end in a semicolon as statements do."""
_LISTING = re.compile(r"^[d-][rwx-]{9}\s")
_LIST_FILES = re.compile(r"^(\S*[$%#] ?)[1I]s(?: -[1I][ahrtS]*)?(?= |$)")
"""The command before a long listing: a font of one width has l and 1 nearly alike."""
_PROSE = re.compile(r"(?:[^\W\d_]+[,.;:]?\s+){7}")
_KEY = re.compile(r"^(?:- )?[a-z][\w.-]*:(?:\s|$)|^- \S")


def code_blocks(lines: Sequence[Line]) -> list[FinishedBlock]:
    """The blocks of code and terminal output among the lines, each as a fence of markdown."""
    rows = line_rows(lines)
    blocks: list[FinishedBlock] = []
    for run in _runs(rows):
        used = tuple(line for row in run for line in row)
        pitch = character_pitch(used)
        if len(run) >= _MIN_ROWS and pitch is not None and _is_code(run, pitch):
            rect = enclose([line.rect for line in used])
            blocks.append(FinishedBlock("code", rect, used, _fenced(run, pitch)))
    return blocks


def _text(row: Row) -> str:
    return " ".join(line.text.strip() for line in row)


def _is_evidence(row: Row) -> bool:
    text = _text(row)
    return _is_sure(text) or bool(_KEY.search(text))


def _is_sure(text: str) -> bool:
    if _ITEM.match(text):
        text = text.rstrip(" ;")
    return bool(_CODE.search(text) or _TERMINAL.search(text))


def _runs(rows: Sequence[Row]) -> list[list[Row]]:
    """Neighbouring rows in one pitch, of which enough look like code."""
    runs: list[list[int]] = []
    for index, row in enumerate(rows):
        if not _is_evidence(row):
            continue
        if runs and index - runs[-1][-1] <= _MAX_BETWEEN and _is_near(rows, runs[-1][-1], index):
            runs[-1] += range(runs[-1][-1] + 1, index + 1)
        else:
            runs.append([index])
    grown = [_grown(rows, run[0], run[-1]) for run in runs]
    return [list(rows[first : last + 1]) for first, last in grown]


def _is_near(rows: Sequence[Row], first: int, last: int) -> bool:
    return all(_step(rows[i], rows[i + 1]) < _MAX_STEP for i in range(first, last))


def _grown(rows: Sequence[Row], first: int, last: int) -> tuple[int, int]:
    """With the rows above and below that have the same pitch and are no prose."""
    pitch = character_pitch([line for row in rows[first : last + 1] for line in row])
    if pitch is None:
        return first, last
    while first > 0 and _continues(rows[first - 1], rows[first], rows[first - 1], pitch):
        first -= 1
    while last + 1 < len(rows) and _continues(rows[last], rows[last + 1], rows[last + 1], pitch):
        last += 1
    return first, last


def _continues(above: Row, below: Row, row: Row, pitch: float) -> bool:
    text = _text(row)
    if _PROSE.search(text) or _step(above, below) > _MAX_STEP / 2:
        return False
    widest = max(row, key=lambda line: len(line.text))
    if len(widest.text) < _MIN_LENGTH:
        return True
    expected = pitch * len(widest.text)
    return -_OTHER * expected < widest.rect.width - expected < _OTHER * expected + _MARGIN * pitch


def _step(above: Row, below: Row) -> float:
    """From one row to the next, in heights of a row."""
    return (below[0].rect.centre_y - above[0].rect.centre_y) / max(above[0].height, 1e-9)


def character_pitch(lines: Sequence[Line]) -> float | None:
    """The width of a character in pixels, if all are equally wide; None in other fonts.

    A detected line is some pixels wider than its characters, whatever their number.
    """
    sizes = [(len(line.text.strip()), line.rect.width) for line in lines]
    sizes = [size for size in sizes if size[0] >= _MIN_LENGTH]
    if len(sizes) < _MIN_MEASURED or len({length for length, _ in sizes}) < 2:
        return None
    lengths, widths = np.array(sizes, float).T
    pitch, margin = np.polyfit(lengths, widths, 1, w=np.sqrt(lengths))
    off = np.abs(widths - margin - pitch * lengths)
    exact = off < _EXACT * widths + _ROUNDING * pitch
    if pitch <= 0 or lengths[exact].sum() < _MIN_EXACT * lengths.sum():
        return None
    return float(pitch)


def _is_code(run: Sequence[Row], pitch: float) -> bool:
    """Whether enough rows look like it; rows of keys count only where they are indented."""
    texts = [_text(row) for row in run]
    sure = sum(map(_is_sure, texts))
    if sure >= _MIN_EVIDENCE * len(run):
        return True
    keys = sum(bool(_KEY.search(text)) for text in texts)
    left = min(row[0].rect.x0 for row in run)
    indents = {round((row[0].rect.x0 - left) / pitch) for row in run}
    return len(indents) > 1 and keys + sure > 0.6 * len(run)


def _fenced(run: Sequence[Row], pitch: float) -> str:
    code = "\n".join(_with_commands(_placed(run, pitch)))
    fence = "```"
    while fence in code:
        fence += "`"
    return f"{fence}\n{code}\n{fence}"


def _with_commands(rows: Sequence[str]) -> list[str]:
    """The rows; above files with their permissions, `1s -1` is `ls -l`."""
    if not any(_LISTING.match(row) for row in rows):
        return list(rows)
    return [_LIST_FILES.sub(_in_letters, row) for row in rows]


def _in_letters(found: re.Match[str]) -> str:
    return found[1] + found[0][len(found[1]) :].replace("1", "l").replace("I", "l")


def _placed(run: Sequence[Row], pitch: float) -> list[str]:
    """The rows with each line in its column, and blank rows where there is room for them."""
    left = min(line.rect.x0 for row in run for line in row)
    phase = _phase([(line.rect.x0 - left) / pitch for row in run for line in row])
    starts = [[round((line.rect.x0 - left) / pitch - phase) for line in row] for row in run]
    first = min(min(row) for row in starts)
    gaps = [below[0].rect.centre_y - above[0].rect.centre_y for above, below in pairwise(run)]
    usual = median(sorted(gaps)[: max(1, 2 * len(gaps) // 3)])
    placed: list[str] = []
    for row, places, gap in zip(run, starts, [usual, *gaps], strict=True):
        placed += [""] * min(_MAX_BLANK_ROWS, max(0, round(gap / usual) - 1))
        placed.append(_placed_row(row, [place - first for place in places], pitch))
    return placed


def _placed_row(row: Row, places: Sequence[int], pitch: float) -> str:
    text, end = "", float("-inf")
    for line, place in zip(row, places, strict=True):
        if text and (place <= len(text) or line.rect.x0 - end < pitch):
            place = len(text) + 1  # one blank: it is the boxes' margins that narrow the gap
        text = text.ljust(place) + _with_blanks(line, pitch)
        end = line.rect.x1
    return text


def _with_blanks(line: Line, pitch: float) -> str:
    """The text with all blanks: recognition writes one for several."""
    text = line.text
    if len(line.centres) != len(text):
        return text.strip()
    written = ""
    for index, char in enumerate(text):
        written += char
        if char == " " and 0 < index < len(text) - 1:
            step = (line.centres[index + 1] - line.centres[index - 1]) * line.rect.width
            written += " " * max(0, round(step / pitch - 0.1) - 2)
    return written.strip()


def _phase(places: Sequence[float]) -> float:
    """How far the places are from whole columns, in the middle: between -0.5 and 0.5."""
    turn = 2 * pi
    x, y = sum(cos(turn * place) for place in places), sum(sin(turn * place) for place in places)
    return atan2(y, x) / turn
