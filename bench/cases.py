"""Reads a folder of cases and compares each with what must be read of it.

The folder has `files/` and `checks.jsonl`, one object a line: `file` and `kind`; `order`, texts
that stand one after the other; `absent`, texts that must not be there; `re`, patterns, of the text
with its line breaks after `RAW:` and of the flags after `FLAGS:`; `data.password`.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsocr.errors import DsocrError
from dsocr.exports.markdown import join_pages, page_text
from dsocr.exports.running_heads import without_running_heads
from dsocr.host import EngineHost
from dsocr.pages.source import open_document
from dsocr.types import Document, OcrOptions, PageResult

_TAG = re.compile(r"<[^>]+>")
_IMAGE = re.compile(r"!\[\]\([^)]*\)")
_MARKS = re.compile(r"(?m)^#+ |^- (?!\[)|^---$")
_BLANKS = re.compile(r"\s+")
_NO_HEADING = "^(?!.*#"
"""A pattern that begins so holds for each line, with its marks."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of one case, and what was wrong with it."""

    file: str
    kind: str
    faults: tuple[str, ...]
    flags: tuple[str, ...]
    text: str


async def read_cases(
    folder: Path, host: EngineHost, options: OcrOptions, *, only: str = ""
) -> AsyncIterator[Outcome]:
    """The outcome of each case whose file or kind holds `only`, in the order of `checks.jsonl`."""
    for line in (folder / "checks.jsonl").read_text("utf-8").splitlines():
        case = json.loads(line)
        if only not in f"{case['file']} {case['kind']}":
            continue
        text, flags = await _read(folder / "files" / case["file"], case, host, options)
        faults = tuple(faults_of(case, text, flags))
        yield Outcome(case["file"], case["kind"], faults, tuple(flags), text)


async def _read(
    path: Path, case: Mapping[str, Any], host: EngineHost, options: OcrOptions
) -> tuple[str, list[str]]:
    """The text and the flags of a whole document; of one that fails, its error's code."""
    password = case.get("data", {}).get("password")
    try:
        document = await document_of(path, host, options, password=password)
    except DsocrError as error:
        return "", [error.code]
    return text_of(document), [flag for page in document.pages for flag in page.flags]


async def document_of(
    path: Path, host: EngineHost, options: OcrOptions, *, password: str | None = None
) -> Document:
    """Every page of the file, as the service reads it. Raises what opening it raises."""
    pipeline, _ = await host.pipeline(0)
    source = await open_document(path, name=path.name, sandbox=host.sandbox, password=password)
    async with source:
        return await pipeline.run(source, options)


def text_of(document: Document) -> str:
    """Without running heads, as `/api/ocr` gives it."""
    pages: Sequence[PageResult] = without_running_heads(document).pages
    return join_pages(page_text(page) for page in pages)


def faults_of(case: Mapping[str, Any], text: str, flags: Sequence[str]) -> list[str]:
    """What of the case does not hold; empty if all does."""
    flat = _flat(text)
    faults = list(_misplaced(case.get("order", ()), flat))
    faults += [f"must not be there: {word}" for word in case.get("absent", ()) if word in flat]
    faults += [
        f"no match: {pattern}"
        for pattern in case.get("re", ())
        if not _matches(pattern, text, flat, " ".join(flags))
    ]
    return faults


def _misplaced(order: Iterable[str], flat: str) -> Iterable[str]:
    place = 0
    for wanted in order:
        words = _BLANKS.sub(" ", wanted)
        found = flat.find(words, place)
        if found >= 0:
            place = found + len(words)
        else:
            yield f"{'out of order' if words in flat else 'missing'}: {words}"


def _matches(pattern: str, text: str, flat: str, flags: str) -> bool:
    if pattern.startswith("RAW:"):
        return re.search(pattern[4:], text, re.S) is not None
    if pattern.startswith("FLAGS:"):
        return re.search(pattern[6:], flags) is not None
    if pattern.startswith(_NO_HEADING):
        return all(re.match(pattern, line) for line in text.splitlines())
    return re.search(pattern, flat) is not None


def _flat(text: str) -> str:
    """In one line, without tables' tags, figures and marks of headings and lists."""
    text = _IMAGE.sub(" ", html.unescape(_TAG.sub(" ", text))).replace("\\", "")
    return _BLANKS.sub(" ", _MARKS.sub(" ", text)).strip()


def shares_by_kind(outcomes: Sequence[Outcome]) -> dict[str, tuple[int, int]]:
    """Kind -> how many cases are right, of how many."""
    kinds = sorted({outcome.kind for outcome in outcomes})
    parts = {kind: [o for o in outcomes if o.kind == kind] for kind in kinds}
    return {
        kind: (sum(not outcome.faults for outcome in part), len(part))
        for kind, part in parts.items()
    }
