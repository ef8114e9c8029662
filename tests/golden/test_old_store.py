"""A store of jobs from before the embedded engine was renamed: opened, listed, exported, read on.

It has a finished job with corrections and a queued one; both ask for the engine `rapidocr`.
"""

from __future__ import annotations

import contextlib
import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.golden.compare import assert_golden, differences, read_golden, settled
from tests.golden.replay import RECORDED
from tests.golden.service import DATA, QUESTIONED, WITH_FIGURE, finished, job_answers, service

STORE = read_golden(RECORDED / "store.json.gz")
FILES = {
    STORE["job"]: (QUESTIONED, WITH_FIGURE, DATA / "samples" / "olm_mathfuncs.pdf"),
    STORE["queued"]: (DATA / "samples" / "phototest-rotated-R.png",),
}


@contextlib.contextmanager
def opened(runs_dir: Path) -> Iterator[TestClient]:
    """A service on a copy of the store and its files."""
    for job_id, files in FILES.items():
        folder = runs_dir / "jobs" / "files" / job_id
        folder.mkdir(parents=True)
        for number, file in enumerate(files):
            shutil.copy(file, folder / str(number))
    store = gzip.decompress((RECORDED / "store.sqlite3.gz").read_bytes())
    (runs_dir / "jobs" / "jobs.sqlite3").write_bytes(store)
    with service(runs_dir) as http:
        yield http


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with opened(tmp_path_factory.mktemp("store")) as http:
        yield http


@pytest.fixture(scope="module")
def answers(http: TestClient) -> Any:
    return job_answers(http, STORE["job"])


@pytest.mark.parametrize("part", ["job", "pages", "exports"])
def test_a_finished_job_is_told_and_exported_as_then(answers: Any, part: str) -> None:
    assert differences(answers[part], STORE["answers"][part]) == []


def test_a_job_that_was_queued_is_read(http: TestClient) -> None:
    job = finished(http, STORE["queued"])
    assert (job["status"], job["pagesFailed"]) == ("succeeded", 0)
    page = http.get(f"/api/jobs/{job['jobId']}/pages/0").json()
    golden = read_golden(RECORDED / "samples.json.gz")["ocr"]["phototest-rotated-R.png"]
    assert_golden(page, golden["pages"][0])


def test_both_are_listed(http: TestClient) -> None:
    listed = http.get("/api/jobs").json()
    assert [job["jobId"] for job in listed["jobs"]] == [STORE["queued"], STORE["job"]]
    assert differences(listed["jobs"][1], STORE["answers"]["job"]) == []


def test_a_page_of_a_finished_job_can_be_read_again(tmp_path: Path) -> None:
    page = f"/api/jobs/{STORE['job']}/pages/1"
    with opened(tmp_path) as http:
        assert http.post(f"{page}/retry").status_code == 202
        assert finished(http, STORE["job"])["status"] == "succeeded"
        again = http.get(page).json()
    assert_golden(again, settled(STORE["answers"]["pages"][1]))
