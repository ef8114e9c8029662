"""Submissions become jobs with the same checks, whatever contract they came by."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dsocr.errors import BadPdf, BadRequest, TooManyPages
from dsocr.jobs.config import JobsConfig
from dsocr.jobs.job import NewJob
from dsocr.jobs.store.database import Database
from dsocr.jobs.submission import Submission, new_job
from dsocr.jobs.webhooks import CallbackRefused, Callbacks
from dsocr.pages.config import PagesConfig
from dsocr.pages.sandbox import Sandbox
from dsocr.types import ReadOptions
from tests.fakes import OPTIONS, pdf, png


@dataclass(frozen=True)
class File:
    name: str
    path: Path
    size: int


@dataclass(frozen=True)
class NoEngineYet:
    """Decodes pages; no engine is ready."""

    sandbox: Sandbox
    names: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()

    def info_of(self, name: str | None = None) -> None:
        return None

    async def pipeline(self, wait_seconds: float, name: str | None = None) -> Any:
        raise NotImplementedError


@pytest.fixture
async def engines() -> AsyncIterator[NoEngineYet]:
    async with Sandbox(PagesConfig(workers=1)) as sandbox:
        yield NoEngineYet(sandbox)


def files(folder: Path, **contents: bytes) -> list[File]:
    found = []
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        found.append(File(name, folder / name, len(content)))
    return found


async def made(
    engines: NoEngineYet,
    tmp_path: Path,
    received: list[File],
    *,
    pages: str | None = None,
    max_pages: int = 100,
    **more: Any,
) -> NewJob:
    read = ReadOptions(OPTIONS, pages)
    submission = Submission(files=received, read=read, engine="fake", **more)
    callbacks = Callbacks(Database(tmp_path / "store"), JobsConfig())
    return await new_job(submission, engines, callbacks, max_pages=max_pages)


async def test_page_ranges_apply_to_each_file_and_pages_are_numbered_over_all(
    engines: NoEngineYet, tmp_path: Path
) -> None:
    received = files(tmp_path, a=pdf([["1"], ["2"], ["3"]]), b=pdf([["4"], ["5"]]))
    job = await made(engines, tmp_path, received, pages="2,1")
    assert [(page.index, page.file, page.file_page) for page in job.pages] == [
        (0, 0, 1),
        (1, 0, 0),
        (2, 1, 1),
        (3, 1, 0),
    ]
    assert [file.num_pages for file in job.files] == [3, 2]
    assert job.paths == tuple(file.path for file in received)


async def test_a_broken_file_among_others_is_one_page_and_alone_is_refused(
    engines: NoEngineYet, tmp_path: Path
) -> None:
    good, broken = files(tmp_path, a=png(["a"]), b=b"%PDF-1.4 broken")
    job = await made(engines, tmp_path, [good, broken])
    assert [file.num_pages for file in job.files] == [1, 1]
    with pytest.raises(BadPdf):
        await made(engines, tmp_path, [broken])


async def test_files_that_are_opened_at_once_keep_their_order(tmp_path: Path) -> None:
    received = files(
        tmp_path,
        **{f"f{number}": pdf([["x"]] * (number % 3 + 1)) for number in range(12)},
        broken=b"%PDF-1.4 broken",
    )
    async with Sandbox(PagesConfig(workers=6)) as sandbox:
        job = await made(NoEngineYet(sandbox), tmp_path, received)
    assert [file.name for file in job.files] == [file.name for file in received]
    assert [file.num_pages for file in job.files] == [1, 2, 3] * 4 + [1]


async def test_a_submission_over_a_limit_or_without_files_is_refused(
    engines: NoEngineYet, tmp_path: Path
) -> None:
    received = files(tmp_path, a=pdf([["1"], ["2"], ["3"]]))
    with pytest.raises(TooManyPages):
        await made(engines, tmp_path, received, max_pages=2)
    with pytest.raises(CallbackRefused):
        await made(engines, tmp_path, received, callback_url="https://a.example/")
    with pytest.raises(BadRequest, match="at least one file"):
        await made(engines, tmp_path, [])


async def test_the_fingerprint_covers_fields_names_and_contents(
    engines: NoEngineYet, tmp_path: Path
) -> None:
    (received,) = files(tmp_path, a=png(["a"]))
    (other,) = files(tmp_path, b=png(["b"]))

    async def fingerprint(file: File, **fields: str) -> str | None:
        job = await made(engines, tmp_path, [file], idempotency_key="k", fields=fields)
        return job.fingerprint

    first = await fingerprint(received, mode="base")
    assert first == await fingerprint(received, mode="base")
    renamed = dataclasses.replace(received, name="c")
    different = [
        await fingerprint(received, mode="tiny"),
        await fingerprint(other, mode="base"),
        await fingerprint(renamed, mode="base"),
    ]
    assert len({first, *different}) == 4
    assert (await made(engines, tmp_path, [received])).fingerprint is None
