"""PaddleOCR-VL's service: `POST /layout-parsing`."""

from __future__ import annotations

import asyncio
import base64
from contextlib import AsyncExitStack
from typing import Any, ClassVar, Literal

from fastapi import Request, Response
from pydantic import BaseModel

from dsocr.exports.figures import crop_figures
from dsocr.exports.layout.lines import surrounding
from dsocr.exports.running_heads import without_running_heads
from dsocr.server.contracts.body import (
    LargeJson,
    ignored_headers,
    json_body_limit,
    received_json,
    stored_data,
)
from dsocr.server.contracts.documents import (
    READ_ERRORS,
    ForeignOptions,
    admitted_reader,
    read_all,
    read_options,
)
from dsocr.server.contracts.reading import Reading
from dsocr.server.deps import Owner, RunningService, locked_router
from dsocr.server.problems import request_id_of
from dsocr.server.read_now import ReadRequest
from dsocr.server.route_attributes import ErrorInfo, body_limit, error_shape
from dsocr.server.schemas import errors as schemas
from dsocr.types import PageResult, ReadOptions

router = locked_router("paddleocr")


class PaddleocrErrorAnswer(BaseModel):
    logId: str
    errorCode: int
    errorMsg: str


class LayoutParsing(ForeignOptions):
    """The body. The models that the switches name are not used here."""

    no_effect: ClassVar[frozenset[str]] = frozenset(
        ("useDocOrientationClassify", "useDocUnwarping", "useLayoutDetection")
        + ("useChartRecognition", "prettifyMarkdown", "visualize")
    )
    file: str
    fileType: Literal[0, 1] | None = None
    useDocOrientationClassify: bool | None = None
    useDocUnwarping: bool | None = None
    useLayoutDetection: bool | None = None
    useChartRecognition: bool | None = None
    prettifyMarkdown: bool | None = None
    visualize: bool | None = None


def paddleocr_error(error: ErrorInfo) -> dict[str, Any]:
    return {"logId": error.request_id, "errorCode": error.status, "errorMsg": error.message}


@router.post(
    "/layout-parsing",
    response_class=Response,
    summary="PaddleOCR-VL: layout parsing",
    responses=schemas.error_answers(*READ_ERRORS, model=PaddleocrErrorAnswer),
)
@error_shape(paddleocr_error)
@body_limit(json_body_limit)
async def layout_parsing(request: Request, service: RunningService, owner: Owner) -> Response:
    """A JSON body with the file as base64; an entry a page."""
    async with AsyncExitStack() as stack:
        limit = json_body_limit(service.settings)
        reader = await admitted_reader(request, service, owner, limit, stack)
        body = await received_json(request, LayoutParsing)
        upload = await stored_data(body.file, "document", "file", service.settings, stack)
        options, _ = read_options(service.settings)
        document = ReadRequest(upload, ReadOptions(options))
        [reading] = await read_all(request, reader, [document])
        result = await asyncio.to_thread(_result, reading)
    ignored = [name for name in body.ignored() if name != "fileType"]
    answer = {
        "logId": request_id_of(request.scope),
        "errorCode": 0,
        "errorMsg": "Success",
        "result": result,
    }
    return LargeJson(answer, headers=ignored_headers(ignored))


def _result(reading: Reading) -> dict[str, Any]:
    pages = without_running_heads(reading.document, "omit").pages
    sizes = [{"width": page.width, "height": page.height} for page in pages]
    return {
        "layoutParsingResults": [
            {
                "prunedResult": _pruned(whole, len(pages)),
                "markdown": _markdown(page, reading),
                "outputImages": None,
                "inputImage": None,
            }
            for page, whole in zip(pages, reading.document.pages, strict=True)
        ],
        "dataInfo": {"numPages": len(pages), "pages": sizes},
    }


def _markdown(page: PageResult, reading: Reading) -> dict[str, Any]:
    """A page that failed has no text: its message is no text of the document."""
    figures = crop_figures(page, reading.assets)
    images = {path: base64.b64encode(data).decode() for path, data in figures.items()}
    return {"text": page.markdown, "images": images, "isStart": True, "isEnd": True}


def _pruned(page: PageResult, count: int) -> dict[str, Any]:
    return {
        "page_count": count,
        "width": page.width,
        "height": page.height,
        "model_settings": {},
        "parsing_res_list": [
            {
                "block_label": block.label,
                "block_content": block.text,
                "block_bbox": list(surrounding(block.boxes).pixels(page.width, page.height))
                if block.boxes
                else None,
                "block_id": number,
                "block_order": number + 1,
            }
            for number, block in enumerate(page.blocks)
        ],
    }
