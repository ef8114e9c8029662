"""Which lines of a page are in a script that PP-OCR does not know, and in which language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.lines.quality import LEGIBLE, is_foreign, is_leaders, legibility
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.quads import Pixels, Quad, crop, size_of
from dsocr.engines.ppocr.scripts.languages import (
    LANGUAGES,
    Language,
    candidates_of,
    language_of_script,
)
from dsocr.engines.ppocr.scripts.mixed_words import with_latin_words
from dsocr.engines.ppocr.scripts.tesseract import NOTHING, Reading, Tesseract

_PROBES = 3
_PROBE_LENGTHS = (6, 14)  # line heights
_SAMPLE = 5  # lines, to tell languages of one script apart
_CERTAIN = 0.9
_MIN_PROBE = 0.74
"""Networks of other scripts give nonsense up to 0.7, Thai more."""
_UPRIGHT = 0.78
"""Lines that lie turned are read with less by every network."""
_MIN_MARGIN = 0.08
_MIN_SHARE = 0.7  # of a probe's letters
_ENOUGH_LETTERS = 25
_MAX_ONE_LETTER = 0.22
"""Share of the most frequent letter: Arabic's alif has 0.15, others less."""
_MIN_LINE = 0.6
_MAX_LANGUAGES = 3
_MAX_MARGIN = 0.05
"""Of a line's height, cut off above and below: the box's margin may hold parts of other lines."""
_LOOKALIKE = ("CYRILLIC", "GREEK")
_FEW_LETTERS = 0.4  # of a line's characters
_MIN_PAGE = 0.2  # of the lines' length: a page with so much may have more of the language
_MIN_UNREAD = 2
_MIN_DOUBTFUL = 0.75
_SURE = 0.93
_SURE_LOOKALIKE = 0.985
"""PP-OCR gives Cyrillic capitals that look like Latin ones high scores."""


class PageScripts:
    """Recognizes with Tesseract what PP-OCR cannot, on one page.

    `languages` are the codes that the request names; none: all are tried. Does nothing where
    Tesseract is not installed.
    """

    def __init__(
        self,
        ocr: Ocr,
        tesseract: Tesseract,
        languages: Sequence[str],
        poll: Callable[[], None],
    ) -> None:
        self._ocr = ocr
        self._tesseract = tesseract
        self._candidates = tesseract.recent_first(candidates_of(languages))
        self._poll = poll
        self._known: Language | None = None

    def is_read(self, image: Pixels, quads: Sequence[Quad], lines: Sequence[Line]) -> bool:
        """Whether one of the languages certainly reads these lines."""
        unread = unread_lines(quads, lines)
        page = _Page(self._tesseract, self._ocr, image, quads, self._poll)
        self._known = page.language_of(unread, self._candidates, least=_UPRIGHT)
        return self._known is not None

    def resolve(self, image: Pixels, quads: Sequence[Quad], lines: Sequence[Line]) -> list[Line]:
        """The lines, one a quad; those in another script as its network reads them."""
        resolved = list(lines)
        unread = unread_lines(quads, lines)
        candidates = self._candidates
        page = _Page(self._tesseract, self._ocr, image, quads, self._poll)
        for attempt in range(_MAX_LANGUAGES):
            language = self._known if attempt == 0 else None
            language = language or page.language_of(unread, candidates)
            if language is None:
                break
            self._tesseract.remember(language)
            page.read(unread, language, resolved)
            if page.share_in(language, resolved) > _MIN_PAGE:
                page.read_doubtful(resolved, language)
            unread = [i for i in unread if not resolved[i].language]
            if len(unread) < _MIN_UNREAD:
                break
            candidates = [other for other in candidates if other.script != language.script]
        return resolved


class _Page:
    """The lines of one picture and the networks that read them."""

    def __init__(
        self,
        tesseract: Tesseract,
        ocr: Ocr,
        image: Pixels,
        quads: Sequence[Quad],
        poll: Callable[[], None],
    ) -> None:
        self._tesseract = tesseract
        self._ocr = ocr
        self._image = image
        self._quads = quads
        self._poll = poll

    def language_of(
        self,
        unread: Sequence[int],
        candidates: Sequence[Language],
        *,
        least: float = _MIN_PROBE,
    ) -> Language | None:
        """The candidate that most of a few unread lines are in; None where none reads them."""
        longest = sorted(unread, key=lambda i: -size_of(self._quads[i])[0])
        probes = [_shortened(self._pixels(index)) for index in longest[:_PROBES]]
        if not probes or not candidates:
            return None
        scores: dict[str, float] = {}
        for language in candidates:
            scores[language.code] = self._probe(probes, language)
            if scores[language.code] >= _CERTAIN:
                break
        best = max(candidates, key=lambda language: scores.get(language.code, 0.0))
        rivals = [
            scores.get(other.code, 0.0) for other in candidates if other.script != best.script
        ]
        margin = scores[best.code] - max(rivals, default=0.0)
        if scores[best.code] < least or margin < _MIN_MARGIN:
            return None
        return self._among_siblings(longest, best, candidates)

    def _among_siblings(
        self, unread: Sequence[int], best: Language, candidates: Sequence[Language]
    ) -> Language:
        """The language among those that share the best one's script."""
        siblings = [
            language
            for language in LANGUAGES.values()
            if language.script == best.script and language in candidates
        ]
        if len(siblings) == 1:
            return best
        pictures = [self._pixels(index) for index in unread[:_SAMPLE]]
        return language_of_script(
            [
                (language, " ".join(self._read_raw(part, language).text for part in pictures))
                for language in siblings
            ]
        )

    def _probe(self, probes: Sequence[Pixels], language: Language) -> float:
        """The mean score of the probes in this language, lower where letters are of another."""
        readings = [self._read_raw(pixels, language) for pixels in probes]
        if _is_monotonous("".join(reading.text for reading in readings)):
            return 0.0
        scores = [
            reading.score if language.share_of_letters(reading.text) >= _MIN_SHARE else 0.0
            for reading in readings
        ]
        return float(np.median(scores)) + language.handicap

    def read(self, indices: Sequence[int], language: Language, lines: list[Line]) -> None:
        """Replaces these lines by what the language's network reads, where it is legible."""
        for index in indices:
            reading = self._read(index, language)
            if reading.score >= _MIN_LINE:
                lines[index] = _line(lines[index], reading, language)

    def read_doubtful(self, lines: list[Line], language: Language) -> None:
        """Replaces lines that PP-OCR has read in part, or as Latin letters of the same shapes."""
        for index, line in enumerate(lines):
            if line.language or _is_certain(line, language):
                continue
            reading = self._read(index, language)
            if reading.score >= _MIN_DOUBTFUL and language.share_of_letters(reading.text) > 0.3:
                lines[index] = _line(line, reading, language)

    def share_in(self, language: Language, lines: Sequence[Line]) -> float:
        """The share of the page, by the lines' length, that is in this language."""
        lengths = [size_of(quad)[0] for quad in self._quads]
        pairs = zip(lengths, lines, strict=True)
        own = [length for length, line in pairs if line.language == language.code]
        return sum(own) / max(1.0, sum(lengths))

    def _read(self, index: int, language: Language) -> Reading:
        pixels = self._pixels(index)
        reading = self._read_raw(pixels, language)
        return with_latin_words(pixels, reading, self._ocr, self._poll)

    def _read_raw(self, pixels: Pixels, language: Language) -> Reading:
        self._poll()
        if min(pixels.shape[:2]) < 3:
            return NOTHING
        return self._tesseract.read(pixels, language)

    def _pixels(self, index: int) -> Pixels:
        quad = self._quads[index]
        inward = _MAX_MARGIN * (quad[[3, 2, 1, 0]] - quad)
        return crop(self._image, (quad + inward).astype(np.float32))


def _is_monotonous(text: str) -> bool:
    """Whether one letter is far too frequent: how the Thai network reads Armenian."""
    letters = [char for char in text if char.isalpha()]
    most = max(map(letters.count, set(letters)), default=0)
    return len(letters) >= _ENOUGH_LETTERS and most > _MAX_ONE_LETTER * len(letters)


def unread_lines(quads: Sequence[Quad], lines: Sequence[Line]) -> list[int]:
    """The lines that PP-OCR has not read; on a page where it is sure of few lines, those too of
    which it has read the numbers only."""
    few_sure = 2 * sum(line.score >= _SURE for line in lines) <= len(lines)
    return [
        i
        for i, quad in enumerate(quads)
        if _is_unread(lines[i], quad) or (few_sure and _has_only_numbers(lines[i]))
    ]


def _has_only_numbers(line: Line) -> bool:
    """Whether blanks in place of letters stand around numbers."""
    characters = [char for char in line.text if not char.isspace()]
    letters = sum(map(str.isalpha, characters))
    has_blanks = line.text != " ".join(line.text.split())
    return has_blanks and line.score < _SURE and letters < _FEW_LETTERS * len(characters)


def _is_unread(line: Line, quad: Quad) -> bool:
    """Whether PP-OCR does not know the line's script: few characters, low scores, odd letters."""
    width, height = size_of(quad)
    if is_leaders(line, quad):
        return False
    return width > height and (legibility([line], [quad]) < LEGIBLE or is_foreign([line]))


def _shortened(pixels: Pixels) -> Pixels:
    """The beginning of a line, up to the widest gap between its words near a dozen heights."""
    height, width = pixels.shape[:2]
    least, most = (height * length for length in _PROBE_LENGTHS)
    if width <= most:
        return pixels
    darkest = pixels[:, least:most].min(axis=(0, 2)).astype(int)
    is_white = darkest > (int(darkest.min()) + int(darkest.max())) // 2
    ends = np.flatnonzero(np.diff(np.concatenate([[0], is_white.astype(int), [0]])))
    starts, stops = ends[::2], ends[1::2]
    if not len(starts):
        return pixels[:, :most]
    gap = int(np.argmax(stops - starts))
    return pixels[:, : least + int(starts[gap] + stops[gap]) // 2]


def _is_certain(line: Line, language: Language) -> bool:
    """Whether PP-OCR has read all of a line on a page in this language.

    It writes blanks where it knows no letter.
    """
    text = line.text
    has_letters = any(map(str.isalpha, text))
    least = _SURE_LOOKALIKE if has_letters and language.script in _LOOKALIKE else _SURE
    return line.score >= least and text == " ".join(text.split()) and not is_foreign([line])


def _line(line: Line, reading: Reading, language: Language) -> Line:
    return replace(
        line.with_text(reading.text), score=reading.score, language=language.code, turn=0
    )
