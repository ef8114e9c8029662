"""hOCR: the text of every page with the places of blocks, paragraphs, lines and words.

The format is that of the hOCR specification 1.2. Boxes are pixels of the upright page. A word's
confidence is that of its line; text of a PDF's text layer has none.
"""

from __future__ import annotations

from itertools import count
from typing import BinaryIO

from dsocr import __version__
from dsocr.exports import Assets
from dsocr.exports.language.script import language_of
from dsocr.exports.layout.lines import Region, regions_of
from dsocr.exports.layout.words import direction_of, words_of
from dsocr.exports.layout.xml import attributes, xml_text
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.types import Box, Document, PageResult, TextLine

_CAPABILITIES = "ocr_page ocr_carea ocr_par ocr_line ocrx_word ocr_photo"


def write(
    document: Document,
    out: BinaryIO,
    assets: Assets | None = None,
    options: ExportOptions = DEFAULTS,
) -> None:
    """UTF-8, as XHTML; a page that failed is an `ocr_page` without text."""
    out.write(_head(document).encode())
    for number, page in enumerate(document.pages):
        out.write(_PageWriter(page, number).xml().encode())
    out.write(b" </body>\n</html>\n")


def _head(document: Document) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml">
 <head>
  <meta charset="utf-8"/>
  <title>{xml_text(document.name)}</title>
  <meta name="ocr-system"{attributes(content=f"dsocr {__version__} {document.engine}")}/>
  <meta name="ocr-number-of-pages"{attributes(content=len(document.pages))}/>
  <meta name="ocr-capabilities"{attributes(content=_CAPABILITIES)}/>
 </head>
 <body>
"""


class _PageWriter:
    """One page; ids are unique in the document by the page's place in it."""

    def __init__(self, page: PageResult, number: int) -> None:
        self._page = page
        self._number = number + 1
        self._ids = count(1)

    def xml(self) -> str:
        title = f"image page-{self._page.index + 1}; {self._box(None)}; ppageno {self._number - 1}"
        head = attributes(id=f"page_{self._number}", title=title)
        regions = "".join(map(self._region, regions_of(self._page)))
        return f'  <div class="ocr_page"{head}>\n{regions}  </div>\n'

    def _region(self, region: Region) -> str:
        title = self._box(region.box)
        kind = "ocr_photo" if region.is_figure else "ocr_carea"
        head = attributes(id=self._id("block"), title=title)
        if not region.lines:
            return f'   <div class="{kind}"{head}></div>\n'
        text = " ".join(line.text for line in region.lines)
        inner = attributes(
            id=self._id("par"), lang=language_of(text), dir=direction_of(text), title=title
        )
        lines = "".join(map(self._line, region.lines))
        return (
            f'   <div class="{kind}"{head}>\n    <p class="ocr_par"{inner}>\n{lines}    </p>\n'
            "   </div>\n"
        )

    def _line(self, line: TextLine) -> str:
        direction = direction_of(line.text)
        head = attributes(
            id=self._id("line"),
            dir=None if direction == "ltr" else direction,
            title=self._box(line.box),
        )
        confidence = "" if line.confidence is None else f"; x_wconf {round(line.confidence * 100)}"
        words = " ".join(
            f'<span class="ocrx_word" id="{self._id("word")}" '
            f'title="{self._box(box)}{confidence}">{xml_text(word)}</span>'
            for word, box in words_of(line)
        )
        return f'     <span class="ocr_line"{head}>{words}</span>\n'

    def _id(self, kind: str) -> str:
        return f"{kind}_{self._number}_{next(self._ids)}"

    def _box(self, box: Box | None) -> str:
        width, height = self._page.width, self._page.height
        x0, y0, x1, y1 = box.pixels(width, height) if box else (0, 0, width, height)
        return f"bbox {x0} {y0} {x1} {y1}"
