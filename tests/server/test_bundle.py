"""Several jobs as one file."""

from __future__ import annotations

import io
import zipfile

import pytest

from dsocr.server.routes.bundle import safe_stem
from tests.fakes import png
from tests.server.test_jobs import Running, finished, running, submit

__all__ = ["running"]  # the fixture


def test_each_job_is_a_file_of_the_zip_in_the_requested_order(running: Running) -> None:
    with running() as http:
        ids = [submit(http, (f"{name}.png", png([name])))["jobId"] for name in ("first", "second")]
        for job_id in ids:
            finished(http, job_id)
        answer = http.post("/api/jobs/export", json={"jobIds": ids[::-1], "format": "text"})

    assert "documents.zip" in answer.headers["content-disposition"]
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.namelist() == ["001-second.txt", "002-first.txt"]
    assert "first" in archive.read("002-first.txt").decode()


def test_an_unknown_job_or_format_is_refused(running: Running) -> None:
    with running() as http:
        assert http.post("/api/jobs/export", json={"jobIds": ["nobody"]}).status_code == 404
        assert http.post("/api/jobs/export", json={"jobIds": []}).status_code == 422
        answer = http.post("/api/jobs/export", json={"jobIds": ["nobody"], "format": "wax"})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("name", "stem"),
    [("../../etc/passwd", "passwd"), ("..", "__"), ("", "document"), ("报告.pdf", "报告")],
)
def test_names_cannot_become_paths(name: str, stem: str) -> None:
    assert safe_stem(name) == stem
