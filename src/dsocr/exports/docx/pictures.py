"""Figures as drawings in a line of text."""

from __future__ import annotations

from dsocr.exports.docx.runs import clean
from dsocr.types import Box, PageResult

PAGE_WIDTH = 210
"""Millimetres of paper that the width of a page stands for."""
MAX_WIDTH, MAX_HEIGHT = 170.0, 230.0
"""Millimetres between the margins, with room for a caption."""
_EMU = 36_000
"""A millimetre in the units of drawings."""

_DRAWING = (
    '<w:r><w:drawing><wp:inline distT="0" distB="0" distL="0" distR="0">'
    '<wp:extent cx="{width}" cy="{height}"/><wp:docPr id="{id}" name="Figure {id}" '
    'descr="{alt}"/><a:graphic><a:graphicData '
    'uri="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:pic><pic:nvPicPr>'
    '<pic:cNvPr id="{id}" name="{name}"/><pic:cNvPicPr/></pic:nvPicPr><pic:blipFill>'
    '<a:blip r:embed="{relation}"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill>'
    '<pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="{width}" cy="{height}"/></a:xfrm>'
    '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr></pic:pic></a:graphicData>'
    "</a:graphic></wp:inline></w:drawing></w:r>"
)


def drawing(box: Box, page: PageResult, *, number: int, name: str, relation: str, alt: str) -> str:
    """A run with the figure, as wide as it is on the page."""
    width, height = _size(box, page)
    return _DRAWING.format(
        width=round(width * _EMU),
        height=round(height * _EMU),
        id=number,
        name=clean(name),
        relation=relation,
        alt=clean(alt or f"Figure on page {page.index + 1}"),
    )


def _size(box: Box, page: PageResult) -> tuple[float, float]:
    """Millimetres."""
    across = max(box.x1 - box.x0, 1e-3)
    shape = (max(box.y1 - box.y0, 1e-3) * (page.height or 1)) / (across * (page.width or 1))
    width = min(MAX_WIDTH, across * PAGE_WIDTH, MAX_HEIGHT / shape)
    return width, max(width * shape, 0.1)
