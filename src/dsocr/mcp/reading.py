"""The text of a document within a budget of tokens, page by page, with a cursor to read on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dsocr.errors import BadRequest
from dsocr.mcp.answers import DocumentText, PageBlock, PageText
from dsocr.mcp.service import Json, Service, ServiceFailed
from dsocr.pipeline.page_ranges import page_indices

_NOT_READ = "page_not_read"
_CHARACTERS_PER_TOKEN, _OTHER_PER_TOKEN = 4.0, 1.5


def estimated_tokens(text: str) -> int:
    """4 ASCII characters, or 1.5 others, count as a token: it depends on the model."""
    ascii_count = sum(map(str.isascii, text))
    others = len(text) - ascii_count
    return math.ceil(ascii_count / _CHARACTERS_PER_TOKEN + others / _OTHER_PER_TOKEN)


async def document_text(
    service: Service,
    job: Json,
    *,
    pages: str | None,
    cursor: str | None,
    max_tokens: int,
    boxes: bool,
) -> DocumentText:
    """The pages of a job from the cursor on, as many as fit. Raises `BadRequest`."""
    wanted = page_indices(pages, job["pagesTotal"]) if pages else range(job["pagesTotal"])
    place, offset = _position(cursor, wanted)
    answer = _head(job)
    left = max_tokens
    for index in wanted[place:]:
        page = await _page(service, job["jobId"], index)
        if page is None:
            answer.next_cursor = f"{index + 1}:0"
            answer.note = _waiting_note(job)
            return answer
        shown, end = _shown(page, offset, left, boxes=boxes)
        answer.pages.append(shown)
        if end is not None:
            answer.next_cursor = f"{index + 1}:{end}"
            answer.note = "The budget is used up: read on with `cursor`."
            return answer
        left, offset = left - _cost(shown), 0
        if left <= 0 and index != wanted[-1]:
            answer.next_cursor = f"{_next(wanted, index) + 1}:0"
            answer.note = "The budget is used up: read on with `cursor`."
            return answer
    return answer


def _head(job: Json) -> DocumentText:
    error = job["error"]
    return DocumentText(
        document_id=job["jobId"],
        file_name=", ".join(file["fileName"] for file in job["files"]),
        status=job["status"],
        engine=job["engine"],
        pages_total=job["pagesTotal"],
        pages_done=job["pagesDone"],
        pages=[],
        next_cursor=None,
        note=error["message"] if error else "",
    )


def _waiting_note(job: Json) -> str:
    if job["status"] in ("queued", "running"):
        return "Still being read: call watch_job, then read on with `document_id` and `cursor`."
    return "The other pages were not read."


def _position(cursor: str | None, wanted: Sequence[int]) -> tuple[int, int]:
    """The place in `wanted` and the offset in that page. Raises `BadRequest`."""
    if cursor is None:
        return 0, 0
    page, colon, offset = cursor.partition(":")
    if not (colon and page.isdecimal() and offset.isdecimal()):
        raise BadRequest("cursor: use `next_cursor` of an earlier result as it is.")
    index = int(page) - 1
    if index not in wanted:
        raise BadRequest("cursor: its page is not among `pages`.")
    return wanted.index(index), int(offset)


def _next(wanted: Sequence[int], index: int) -> int:
    return wanted[wanted.index(index) + 1]


async def _page(service: Service, job_id: str, index: int) -> Json | None:
    """None for a page that is not read yet."""
    try:
        return await service.page(job_id, index)
    except ServiceFailed as error:
        if error.code == _NOT_READ:
            return None
        raise


def _shown(page: Json, offset: int, budget: int, *, boxes: bool) -> tuple[PageText, int | None]:
    """The page from the offset on, and the offset of the rest if it does not fit."""
    text = page["correctedText"]
    rest = text[offset:]
    part = _fitting(rest, budget)
    layout, error = page["layout"], page["error"]
    shown = PageText(
        page=page["pageIndex"] + 1,
        file_page=page["filePageIndex"] + 1,
        text=part,
        width=layout["width"],
        height=layout["height"],
        blocks=page_blocks(page) if boxes and not offset else None,
        flags=page["flags"],
        error=error["message"] if error else None,
    )
    return shown, None if len(part) == len(rest) else offset + len(part)


def _fitting(text: str, budget: int) -> str:
    """The beginning of the text that fits, cut between paragraphs or lines if there are some."""
    if estimated_tokens(text) <= budget:
        return text
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if estimated_tokens(text[:middle]) <= budget else (low, middle - 1)
        )
    for separator in ("\n\n", "\n", " "):
        cut = text.rfind(separator, 0, low)
        if cut > low // 2:
            return text[: cut + len(separator)]
    return text[:low]


def _cost(page: PageText) -> int:
    blocks = sum(estimated_tokens(block.text) for block in page.blocks or ())
    return estimated_tokens(page.text) + blocks + 1


def page_blocks(page: Json) -> list[PageBlock]:
    return [
        PageBlock(label=item["label"], text=item["text"], boxes=boxes_of(item))
        for item in page["layout"]["items"]
    ]


def boxes_of(item: Json) -> list[list[float]]:
    return [[round(side, 4) for side in box["normalized"]] for box in item["boxes"]]
