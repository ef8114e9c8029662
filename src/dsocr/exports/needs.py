"""What a document has, for the formats that need it."""

from __future__ import annotations

from collections.abc import Iterable

from dsocr.errors import BadRequest
from dsocr.exports import Format, Need
from dsocr.exports.tables.document_tables import page_tables
from dsocr.types import Document, PageResult

_REASONS: dict[Need, str] = {
    "boxes": "{format} needs the places of the text on the page, which {name} does not have.",
    "tables": "{name} has no table, and {format} holds nothing else. Choose another format.",
    "images": "{format} needs the document itself. Send it with the result.",
}


def check(document: Document, format: Format, has_images: bool) -> None:
    """Raises `BadRequest` where a page has text and the document lacks what the format needs."""
    lacking = missing(document.pages, set(format.needs), has_images=has_images)
    for need in format.needs:
        if need in lacking:
            raise BadRequest(_REASONS[need].format(format=format.label, name=document.name))


def missing(
    pages: Iterable[PageResult], needs: Iterable[Need], *, has_images: bool = True
) -> set[Need]:
    """The needs that no page meets; empty where no page has any text. Ends at the first page
    that meets the last of them."""
    open_needs = set(needs) - ({"images"} if has_images else set())
    any_text = False
    for page in pages:
        if not open_needs:
            break
        any_text = any_text or bool(page.markdown)
        open_needs -= {need for need in open_needs if _has(page, need)}
    return open_needs if any_text else set()


def _has(page: PageResult, need: Need) -> bool:
    if need == "boxes":
        return bool(page.lines) or any(block.boxes for block in page.blocks)
    return need == "tables" and any(True for _ in page_tables(page))
