"""A request for a job, from any HTTP contract or caller, to the job that the store accepts.

A contract parses its own request into a `Submission`; files, pages, options and the callback are
checked here, in the same way for all of them. Imports no HTTP.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from dsocr.errors import BadRequest, DsocrError, TooManyPages
from dsocr.jobs.job import JobFile, JobPage, NewJob
from dsocr.jobs.job_runner import EngineProvider
from dsocr.jobs.webhooks import Callbacks
from dsocr.pages.sandbox import Sandbox
from dsocr.pages.source import open_document
from dsocr.pipeline.page_ranges import selected_pages
from dsocr.pipeline.pipeline import check_options
from dsocr.types import ReadOptions

HASH_CHUNK_BYTES = 1 << 20
OPENING_SHARE = 2
"""A submission opens its files on 1/2 of the decoding processes: the others go on rendering."""


class ReceivedFile(Protocol):
    """A file on the disk; the job takes it over when it is accepted."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def size(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Submission:
    """A client's request to read files as one job."""

    files: Sequence[ReceivedFile]
    read: ReadOptions
    """`pages` applies to each file."""
    engine: str
    """The engine that is selected now; shown until a worker claims the job."""
    owner: str = ""
    """Fingerprint of the API key; empty where there are no keys."""
    wanted_engine: str | None = None
    """Name of the only engine or model that may read it; None: the default one."""
    callback_url: str | None = None
    idempotency_key: str | None = None
    followed: bool = False
    """The client follows the job at once: text is streamed from the first page on."""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The other fields of the request, which the idempotency fingerprint includes."""


async def new_job(
    submission: Submission, engines: EngineProvider, callbacks: Callbacks, *, max_pages: int
) -> NewJob:
    """The job to accept, after all checks.

    A file that cannot be opened becomes one page with the error; when none can be opened, the
    error of the first is raised. Raises `BadRequest` without files and for page ranges that do not
    fit, `TooManyPages`, `CallbackRefused`, and what `check_options` and `open_document` raise.
    """
    if not submission.files:
        raise BadRequest("A job needs at least one file.")
    info = engines.info_of(submission.wanted_engine)
    if info is not None:
        check_options(submission.read.ocr, info)
    if submission.callback_url:
        callbacks.check(submission.callback_url)
    files = await _open_files(submission, engines.sandbox)
    pages = _pages(files, submission.read.pages, max_pages)
    fingerprint = None
    if submission.idempotency_key is not None:
        fingerprint = await asyncio.to_thread(_fingerprint, submission)
    return NewJob(
        id=uuid.uuid4().hex,
        owner=submission.owner,
        options=submission.read.ocr,
        dpi=submission.read.dpi,
        engine=submission.engine,
        wanted_engine=submission.wanted_engine,
        files=files,
        pages=pages,
        paths=tuple(file.path for file in submission.files),
        idempotency_key=submission.idempotency_key,
        fingerprint=fingerprint,
        callback_url=submission.callback_url,
    )


async def _open_files(submission: Submission, sandbox: Sandbox) -> tuple[JobFile, ...]:
    slots = asyncio.Semaphore(max(1, sandbox.max_children // OPENING_SHARE))

    async def num_pages(file: ReceivedFile) -> int | DsocrError:
        async with slots:
            return await _num_pages(file, sandbox, submission.read.password)

    found = await asyncio.gather(*map(num_pages, submission.files))
    if isinstance(found[0], DsocrError) and not any(isinstance(one, int) for one in found):
        raise found[0]
    return tuple(
        JobFile(number, file.name, file.size, _pages_or_one(pages), submission.read.password)
        for number, (file, pages) in enumerate(zip(submission.files, found, strict=True))
    )


async def _num_pages(
    file: ReceivedFile, sandbox: Sandbox, password: str | None
) -> int | DsocrError:
    """Or why the file cannot be opened."""
    try:
        source = await open_document(file.path, name=file.name, sandbox=sandbox, password=password)
    except DsocrError as error:
        return error
    await source.close()
    return source.num_pages


def _pages_or_one(found: int | DsocrError) -> int:
    """A file that cannot be opened is one page, which gets the error."""
    return found if isinstance(found, int) else 1


def _pages(files: Sequence[JobFile], ranges: str | None, max_pages: int) -> tuple[JobPage, ...]:
    """The pages to read, numbered over all files. `ranges` apply to each file."""
    found = [
        (file.number, index) for file in files for index in selected_pages(ranges, file.num_pages)
    ]
    if len(found) > max_pages:
        raise TooManyPages(f"{len(found)} pages are more than the {max_pages} a job may have.")
    return tuple(JobPage(index, *page) for index, page in enumerate(found))


def _fingerprint(submission: Submission) -> str:
    """A hash of the fields and the files: equal for equal requests."""
    digest = hashlib.sha256(json.dumps(sorted(submission.fields.items())).encode())
    for file in submission.files:
        digest.update(json.dumps([file.name, file.size]).encode())
        with file.path.open("rb") as content:
            while chunk := content.read(HASH_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()
