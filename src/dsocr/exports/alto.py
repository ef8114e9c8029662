"""ALTO 4.4: the text of every page with the places of blocks, lines and words, in pixels.

The schema is http://www.loc.gov/standards/alto/v4/alto-4-4.xsd.
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

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"


def write(
    document: Document,
    out: BinaryIO,
    assets: Assets | None = None,
    options: ExportOptions = DEFAULTS,
) -> None:
    """UTF-8; a page that failed has no text. Words carry their line's confidence, if any."""
    out.write(_head(document).encode())
    for number, page in enumerate(document.pages, start=1):
        out.write(_PageWriter(page, number).xml().encode())
    out.write(b" </Layout>\n</alto>\n")


def _head(document: Document) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="{NAMESPACE}" SCHEMAVERSION="4.4">
 <Description>
  <MeasurementUnit>pixel</MeasurementUnit>
  <sourceImageInformation>
   <fileName>{xml_text(document.name)}</fileName>
  </sourceImageInformation>
  <Processing ID="processing_1">
   <processingCategory>contentGeneration</processingCategory>
   <processingSoftware>
    <softwareName>dsocr</softwareName>
    <softwareVersion>{__version__}</softwareVersion>
    <applicationDescription>{xml_text(document.engine)}</applicationDescription>
   </processingSoftware>
  </Processing>
 </Description>
 <Layout>
"""


class _PageWriter:
    """One page; ids are unique in the document by the page's place in it."""

    def __init__(self, page: PageResult, number: int) -> None:
        self._page = page
        self._number = number
        self._ids = count(1)

    def xml(self) -> str:
        size = {"HEIGHT": self._page.height, "WIDTH": self._page.width}
        number = self._number
        head = attributes(ID=f"page_{number}", PHYSICAL_IMG_NR=self._page.index + 1, **size)
        space = attributes(ID=f"space_{number}", HPOS=0, VPOS=0, **size)
        regions = "".join(map(self._region, regions_of(self._page)))
        return f"  <Page{head}>\n   <PrintSpace{space}>\n{regions}   </PrintSpace>\n  </Page>\n"

    def _region(self, region: Region) -> str:
        place = attributes(ID=self._id("block")) + self._place(region.box)
        if region.is_figure and not region.lines:
            return f"    <Illustration{place}/>\n"
        language = language_of(" ".join(line.text for line in region.lines))
        lines = "".join(map(self._line, region.lines))
        return f"    <TextBlock{place}{attributes(LANG=language)}>\n{lines}    </TextBlock>\n"

    def _line(self, line: TextLine) -> str:
        direction = attributes(BASEDIRECTION=direction_of(line.text))
        head = attributes(ID=self._id("line")) + direction + self._place(line.box)
        confidence = attributes(WC=_confidence(line))
        words = "<SP/>".join(
            f'<String ID="{self._id("word")}" CONTENT="{xml_text(word)}"{confidence}'
            f"{self._place(box)}/>"
            for word, box in words_of(line)
        )
        return f"     <TextLine{head}>{words}</TextLine>\n"

    def _id(self, kind: str) -> str:
        return f"{kind}_{self._number}_{next(self._ids)}"

    def _place(self, box: Box) -> str:
        x0, y0, x1, y1 = box.pixels(self._page.width, self._page.height)
        return f' HPOS="{x0}" VPOS="{y0}" WIDTH="{x1 - x0}" HEIGHT="{y1 - y0}"'


def _confidence(line: TextLine) -> str | None:
    return None if line.confidence is None else f"{line.confidence:.3f}"
