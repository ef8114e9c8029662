"""A workspace and its inputs in a bucket: an S3 server of moto."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsocr.batch.workspace.export import ExportJob, export_documents
from dsocr.batch.workspace.report import find_problems, read_status
from dsocr.batch.workspace.stores.store import open_store
from dsocr.errors import BadRequest
from dsocr.pages.config import PagesConfig
from tests.batch.workspace.test_worker import run
from tests.batch.workspace.workspaces import planned
from tests.fakes import png

pytestmark = pytest.mark.slow


async def test_documents_of_a_bucket_are_read_in_a_workspace_there(
    bucket: str, tmp_path: Path
) -> None:
    files = open_store(f"{bucket}/in")
    files.put("a/one.png", png(["one"]))
    files.put("two.png", png(["two"]))
    files.put("again.png", png(["two"]))
    files.put("notes.txt", b"no document")
    store = planned(f"{bucket}/work", f"{bucket}/in")

    await run(store)

    status = read_status(store)
    assert (status.documents, status.duplicates, status.unsupported) == (3, 1, 1)
    assert (status.pages_done, status.failures, status.is_complete) == (3, [], True)
    assert list(find_problems(store)) == []
    done = await export_documents(store, ExportJob(tmp_path, "html"), PagesConfig(), print)
    assert done.written == 3
    assert b"one" in (tmp_path / "a" / "one.png.html").read_bytes()


def test_an_object_of_a_bucket_is_created_once(bucket: str) -> None:
    store = open_store(f"{bucket}/work")
    assert store.create("claims/g.000001", b"1") and not store.create("claims/g.000001", b"2")
    assert store.get("claims/g.000001") == b"1"
    store.delete(["claims/g.000001", "claims/none"])
    assert store.keys("claims/") == []


def test_a_bucket_that_is_not_there_is_named(bucket: str) -> None:
    with pytest.raises(BadRequest, match="There is no bucket 'none-of-that-name'"):
        open_store("s3://none-of-that-name/work").get("batch.json")
    with pytest.raises(BadRequest, match="There is no bucket"):
        list(open_store("s3://none-of-that-name/work").keys("plan/"))
    assert open_store(f"{bucket}/work").get("batch.json") is None
