"""MinerU 3: `POST /file_parse`, and `POST /tasks` for later."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import zipfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Literal

from fastapi import Request, Response
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from dsocr import __version__
from dsocr.errors import InvalidField
from dsocr.exports import render
from dsocr.exports.figures import crop_figures
from dsocr.exports.layout.lines import surrounding
from dsocr.exports.options import ExportOptions
from dsocr.jobs.job import Job, JobConflict
from dsocr.server.contracts.body import ignored_headers, max_file_bytes
from dsocr.server.contracts.documents import (
    READ_ERRORS,
    FormOptions,
    ReceivedForm,
    admit_job,
    admitted_reader,
    max_job_bytes,
    pages_between,
    read_all,
    received_options,
    shared_pages,
)
from dsocr.server.contracts.reading import Reading
from dsocr.server.contracts.tasks import (
    failure_message,
    parse_task_id,
    readings_of,
    submit,
    task_id,
    timestamp,
)
from dsocr.server.deps import Owner, RunningService, Service, locked_router
from dsocr.server.read_now import ReadRequest
from dsocr.server.route_attributes import ErrorInfo, body_limit, error_shape
from dsocr.server.schemas import errors as schemas
from dsocr.types import PageResult, ReadOptions

router = locked_router("mineru")

DEFAULT_LANGUAGES = ("ch", "ch_server", "ch_lite", "latin", "auto")
"""Groups of languages that are the embedded engine's own: naming them changes nothing."""
_STATUS = {"queued": "pending", "running": "processing", "succeeded": "completed"}
_HEADINGS = {"title": 1, "sub_title": 2}


class MineruErrorAnswer(BaseModel):
    error: str
    detail: str


class Chosen(BaseModel):
    """How the result is written. Part of a task's id."""

    backend: Annotated[str, Field(max_length=40)] = "pipeline"
    return_md: bool = True
    return_content_list: bool = False
    return_images: bool = False
    response_format_zip: bool = False


class MineruOptions(FormOptions):
    language_field = "lang_list"
    no_effect: ClassVar[frozenset[str]] = frozenset(
        ("backend", "effort", "parse_method", "formula_enable", "table_enable", "image_analysis")
        + ("server_url", "output_dir", "return_original_file")
    )
    lang_list: list[str] = []
    backend: Annotated[str, Field(max_length=40)] = "pipeline"
    effort: str = ""
    parse_method: Literal["auto", "txt", "ocr"] = "auto"
    formula_enable: bool = True
    table_enable: bool = True
    image_analysis: bool = True
    return_md: bool = True
    return_middle_json: bool = False
    return_model_output: bool = False
    return_content_list: bool = False
    return_images: bool = False
    return_original_file: bool = False
    response_format_zip: bool = False
    start_page_id: Annotated[int, Field(ge=0)] = 0
    end_page_id: Annotated[int, Field(ge=0)] = 99999

    def chosen(self) -> Chosen:
        """Raises `InvalidField` for outputs that cannot be given."""
        for name in ("return_middle_json", "return_model_output"):
            if getattr(self, name):
                raise InvalidField(f"{name}: this output of MinerU's models cannot be given")
        if self.end_page_id < self.start_page_id:
            raise InvalidField("end_page_id: it is before start_page_id")
        return Chosen(**{name: getattr(self, name) for name in Chosen.model_fields})

    def languages(self) -> list[str]:
        return [one for one in self.lang_list if one not in DEFAULT_LANGUAGES]


def mineru_error(error: ErrorInfo) -> dict[str, Any]:
    return {"error": error.message, "detail": error.message}


mineru_errors = error_shape(mineru_error)
_answers = partial(schemas.error_answers, *READ_ERRORS, model=MineruErrorAnswer)


@router.post(
    "/file_parse", response_class=Response, summary="MinerU: parse files", responses=_answers()
)
@mineru_errors
@body_limit(max_file_bytes)
async def file_parse(request: Request, service: RunningService, owner: Owner) -> Response:
    """A form with `files`."""
    async with AsyncExitStack() as stack:
        limit = max_file_bytes(service.settings)
        reader = await admitted_reader(request, service, owner, limit, stack)
        form = await received_options(request, MineruOptions, "files", service, stack)
        chosen, pages = form.fields.chosen(), await _pages(form, service)
        documents = [
            ReadRequest(upload, ReadOptions(form.options, ranges))
            for upload, ranges in zip(form.uploads, pages, strict=True)
        ]
        readings = await read_all(request, reader, documents)
        return await _written(readings, chosen, form.ignored)


@router.post(
    "/tasks",
    status_code=202,
    response_class=Response,
    summary="MinerU: parse files later",
    responses=_answers(),
)
@mineru_errors
@body_limit(max_job_bytes)
async def create_task(request: Request, service: RunningService, owner: Owner) -> Response:
    async with AsyncExitStack() as stack:
        await admit_job(request, service, max_job_bytes(service.settings), stack)
        form = await received_options(request, MineruOptions, "files", service, stack, for_job=True)
        chosen = form.fields.chosen()
        pages = shared_pages(await _pages(form, service), "end_page_id")
        job = await submit(service, owner, form.uploads, form.options, pages)
    headers = ignored_headers(form.ignored)
    return JSONResponse(_task(job, chosen, request), 202, headers=headers)


@router.get(
    "/tasks/{task}", response_class=Response, summary="MinerU: a task", responses=_answers()
)
@mineru_errors
async def show_task(task: str, request: Request, service: RunningService, owner: Owner) -> Response:
    job_id, chosen = parse_task_id(task, Chosen)
    return JSONResponse(_task(await service.jobs.get(job_id, owner), chosen, request))


@router.get(
    "/tasks/{task}/result",
    response_class=Response,
    summary="MinerU: the result of a task",
    responses=_answers(),
)
@mineru_errors
async def task_result(
    task: str, request: Request, service: RunningService, owner: Owner
) -> Response:
    """202 with the task until it has finished; 409 if it failed."""
    job_id, chosen = parse_task_id(task, Chosen)
    job = await service.jobs.get(job_id, owner)
    if not job.finished:
        return JSONResponse(_task(job, chosen, request), 202)
    if job.status != "succeeded":
        raise JobConflict(failure_message(job))
    return await _written(await readings_of(service, job), chosen, ())


async def _pages(form: ReceivedForm[MineruOptions], service: Service) -> list[str | None]:
    """The page ranges of each file."""
    first, last = form.fields.start_page_id + 1, form.fields.end_page_id + 1
    return [await pages_between(upload, first, last, service) for upload in form.uploads]


def _task(job: Job, chosen: Chosen, request: Request) -> dict[str, Any]:
    identity = task_id(job, chosen)
    url = f"{request.url.scheme}://{request.url.netloc}/tasks/{identity}"
    status = _STATUS.get(job.status, "failed")
    return {
        "task_id": identity,
        "status": status,
        "backend": chosen.backend,
        "file_names": [PurePosixPath(file.name).stem for file in job.files],
        "created_at": timestamp(job.created_at),
        "started_at": timestamp(job.started_at),
        "completed_at": timestamp(job.finished_at),
        "error": failure_message(job) if status == "failed" else None,
        "status_url": url,
        "result_url": f"{url}/result",
        "queued_ahead": max(0, (job.queue_position or 1) - 1),
    }


async def _written(readings: Sequence[Reading], chosen: Chosen, ignored: Sequence[str]) -> Response:
    results = await asyncio.to_thread(_results, readings, chosen)
    headers = ignored_headers(ignored)
    if chosen.response_format_zip:
        headers["Content-Disposition"] = 'attachment; filename="results.zip"'
        archive = await asyncio.to_thread(_zipped, results)
        return Response(archive, media_type="application/zip", headers=headers)
    body = {"backend": chosen.backend, "version": __version__, "results": results}
    return JSONResponse(body, headers=headers)


def _results(readings: Sequence[Reading], chosen: Chosen) -> dict[str, dict[str, Any]]:
    """By the file's name without its extension; a name that comes again gets a number."""
    results: dict[str, dict[str, Any]] = {}
    for reading in readings:
        stem = PurePosixPath(reading.document.name).stem or "document"
        name, number = stem, 1
        while name in results:
            number += 1
            name = f"{stem}-{number}"
        results[name] = _result(reading, chosen)
    return results


def _result(reading: Reading, chosen: Chosen) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if chosen.return_md:
        options = ExportOptions(breaks="none")
        result["md_content"] = render(reading.document, "markdown", None, options).decode().strip()
    if chosen.return_content_list:
        pages = zip(reading.document.pages, reading.numbers, strict=True)
        items = [item for page, number in pages for item in _items(page, number)]
        result["content_list"] = json.dumps(items, ensure_ascii=False)
    if chosen.return_images:
        result["images"] = {
            PurePosixPath(path).name: f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
            for page in reading.document.pages
            for path, data in crop_figures(page, reading.assets).items()
        }
    return result


def _items(page: PageResult, number: int) -> list[dict[str, Any]]:
    """The page's blocks; boxes are thousandths of its width and height."""
    items = []
    for block in page.blocks:
        is_table, is_image = block.label == "table", block.label == "image"
        item: dict[str, Any] = {"type": "table" if is_table else "image" if is_image else "text"}
        item["table_body" if is_table else "text"] = block.text
        if block.label in _HEADINGS:
            item["text_level"] = _HEADINGS[block.label]
        if block.boxes:
            item["bbox"] = list(surrounding(block.boxes).pixels(1000, 1000))
        items.append({**item, "page_idx": number})
    return items


def _zipped(results: dict[str, dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, result in results.items():
            if "md_content" in result:
                archive.writestr(f"{name}/{name}.md", result["md_content"])
            if "content_list" in result:
                archive.writestr(f"{name}/{name}_content_list.json", result["content_list"])
            for path, url in result.get("images", {}).items():
                archive.writestr(f"{name}/images/{path}", base64.b64decode(url.partition(",")[2]))
    return out.getvalue()
