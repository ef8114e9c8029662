"""Jobs over HTTP: what one can do with them, and what they say of themselves."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import json
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pikepdf
import pypdfium2
import pytest
from PIL import Image
from starlette.requests import Request
from starlette.testclient import TestClient

from dsocr.engines.base import Engine
from dsocr.jobs.config import JobsConfig
from dsocr.jobs.store import leases, queries
from dsocr.server.app import create_app
from dsocr.server.problems import ClientDisconnected
from dsocr.server.routes.job_pages import page_image
from tests.fakes import FakeEngine, commands_of, pdf, png
from tests.server.conftest import settings_with
from tests.waiting import wait_until

JOB_KEYS = {
    *("jobId", "status", "pagesTotal", "pagesDone", "pagesFailed", "files", "mode", "prompt"),
    *("engine", "createdAt", "startedAt", "finishedAt", "queuePosition", "etaSeconds", "error"),
}
BROWSER = {"X-Dsocr-Browser": "a secret of this browser"}
QUICK = {"poll_seconds": 0.05, "sweep_seconds": 0.05, "min_free_mb": 1}

Running = Callable[..., AbstractContextManager[TestClient]]


@pytest.fixture
def running(tmp_path: Path, database_url: str) -> Running:
    """`with running(max_pages=2) as http:` is a service with these settings of jobs."""

    @contextlib.contextmanager
    def start(
        engine: Engine | None = None, server: dict[str, Any] | None = None, **jobs: Any
    ) -> Iterator[TestClient]:
        settings = dataclasses.replace(
            settings_with(tmp_path / "runs", **(server or {})),
            jobs=JobsConfig(**{**QUICK, "database_url": database_url, **jobs}),
        )
        app = create_app(settings, create_engine=lambda name, config: engine or FakeEngine())
        with TestClient(app, raise_server_exceptions=False) as http:
            yield http

    return start


class Holds(FakeEngine):
    """Keeps pages back that begin with a word in `held`, until the test takes it out of there."""

    def __init__(self, *held: str, **given: Any) -> None:
        super().__init__(**given)
        self.held = set(held)

    async def recognize(self, page: Any, options: Any, *, on_text: Any = None) -> Any:
        result = await super().recognize(page, options, on_text=on_text)
        while commands_of(page)[0].text in self.held:
            await asyncio.sleep(0.01)
        return result


class ReadsTogether(FakeEngine):
    """Finishes no page before `max_concurrency` pages are in flight."""

    def __init__(self, max_concurrency: int) -> None:
        super().__init__(max_concurrency=max_concurrency)
        self.full = asyncio.Event()
        self.num_begun = 0

    async def recognize(self, page: Any, options: Any, *, on_text: Any = None) -> Any:
        self.num_begun += 1
        if self.num_begun == self.info.max_concurrency:
            self.full.set()
        await self.full.wait()
        return await super().recognize(page, options, on_text=on_text)


def submit(http: TestClient, *files: tuple[str, bytes], **more: Any) -> dict[str, Any]:
    answer = http.post("/api/jobs", files=[("file", file) for file in files], **more)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    return job


def finished(http: TestClient, job_id: str) -> dict[str, Any]:
    wait_until(lambda: http.get(f"/api/jobs/{job_id}").json()["finishedAt"] is not None)
    job: dict[str, Any] = http.get(f"/api/jobs/{job_id}").json()
    return job


def exported(http: TestClient, job_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = http.get(f"/api/jobs/{job_id}/export?format=json").json()
    return answer


def followers_of(http: TestClient, job_id: str) -> list[Any]:
    job = http.app.state.service.jobs._live._jobs.get(job_id)  # type: ignore[attr-defined]
    return job.followers if job else []


def events(
    http: TestClient, job_id: str, after: str = "", *, live: bool = False
) -> list[tuple[str, str, dict[str, Any]]]:
    headers = {"Last-Event-ID": after} if after else {}
    query = "?live=true" if live else ""
    text = http.get(f"/api/jobs/{job_id}/events{query}", headers=headers).text
    received = []
    for part in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in part.splitlines() if line[0] != ":")
        if fields:
            received.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return received


def test_files_become_one_job_with_their_pages_in_order(running: Running) -> None:
    book = pdf([["one"], ["two"], ["three"]])
    with running() as http:
        job = submit(http, ("book.pdf", book), ("photo.png", png(["four"])))
        assert set(job) >= JOB_KEYS
        assert job["files"] == [
            {"fileName": "book.pdf", "fileSize": len(book), "pages": 3},
            {"fileName": "photo.png", "fileSize": len(png(["four"])), "pages": 1},
        ]
        over = finished(http, job["jobId"])
        assert (over["status"], over["pagesTotal"], over["pagesDone"]) == ("succeeded", 4, 4)
        assert over["engine"] == "fake"
        pages = exported(http, job["jobId"])["pages"]
        assert [page["pageIndex"] for page in pages] == [0, 1, 2, 3]
        assert [page["text"] for page in pages] == ["one", "two", "three", "four"]
        assert [page["fileName"] for page in pages] == ["book.pdf"] * 3 + ["photo.png"]
        last = http.get(f"/api/jobs/{job['jobId']}/pages/3").json()
        assert (last["fileIndex"], last["filePageIndex"], last["text"]) == (1, 0, "four")


def test_selected_pages_are_numbered_over_all_files(running: Running) -> None:
    book = ("book.pdf", pdf([[f"p{number}"] for number in range(9)]))
    with running() as http:
        job = submit(http, book, data={"pages": "8,2-3"})
        assert finished(http, job["jobId"])["pagesTotal"] == 3
        pages = exported(http, job["jobId"])["pages"]
        assert [(page["pageIndex"], page["text"]) for page in pages] == [
            (0, "p7"),
            (1, "p1"),
            (2, "p2"),
        ]
        assert http.get(f"/api/jobs/{job['jobId']}/pages/0").json()["filePageIndex"] == 7
        refused = http.post("/api/jobs", files={"file": book}, data={"pages": "10"})
        assert refused.status_code == 400


@pytest.mark.parametrize(
    ("files", "fields", "message"),
    [
        (
            ["file"],
            {"calback": "https://example.org"},
            "calback: there is no such field; the nearest is callback",
        ),
        (["image"], {}, "image: there is no such field; the nearest is file"),
        (["file", "dpi"], {}, "dpi: send it as text"),
    ],
)
def test_an_unknown_field_of_a_job_is_named_with_the_nearest(
    running: Running, files: list[str], fields: dict[str, str], message: str
) -> None:
    image = ("a.png", png(["a"]))
    with running() as http:
        answer = http.post("/api/jobs", files={name: image for name in files}, data=fields)
        assert answer.status_code == 422
        assert answer.json()["error"]["message"].startswith(message)
        assert http.get("/api/jobs").json()["total"] == 0


def test_a_failed_page_keeps_its_index_and_the_job_succeeds(running: Running) -> None:
    with running() as http:
        job = submit(http, ("a.pdf", pdf([["one"], ["@crash"], ["three"]])))
        over = finished(http, job["jobId"])
        assert (over["status"], over["pagesDone"], over["pagesFailed"]) == ("succeeded", 3, 1)
        pages = exported(http, job["jobId"])["pages"]
        assert pages[1]["error"]["code"] == "engine_crash"
        assert [page["text"] for page in pages] == ["one", "", "three"]


def test_a_job_whose_pages_all_failed_has_failed_with_an_error(running: Running) -> None:
    with running() as http:
        job = submit(http, ("a.pdf", pdf([["@crash"], ["@crash"]])))
        over = finished(http, job["jobId"])
        assert (over["status"], over["pagesFailed"]) == ("failed", 2)
        assert over["error"]["code"] == "engine_crash"


def test_a_broken_file_among_others_is_one_failed_page(running: Running) -> None:
    with running() as http:
        job = submit(http, ("a.png", png(["fine"])), ("b.pdf", b"%PDF-1.4 broken"))
        over = finished(http, job["jobId"])
        assert (over["status"], over["pagesTotal"], over["pagesFailed"]) == ("succeeded", 2, 1)
        assert exported(http, job["jobId"])["pages"][1]["error"]["code"] == "bad_pdf"


@pytest.mark.parametrize(
    ("files", "fields", "status", "code"),
    [
        ([], {}, 422, "invalid_field"),
        ([("a.txt", b"just words")], {}, 415, "not_a_document"),
        ([("a.pdf", b"%PDF-1.4 broken")], {}, 422, "bad_pdf"),
        ([("a.png", png(["a"]))], {"mode": "huge"}, 422, "unsupported_mode"),
        ([("a.png", png(["a"]))], {"dpi": "10000"}, 422, "invalid_field"),
        ([("a.png", png(["a"]))], {"engine": "remote"}, 422, "invalid_field"),
        ([("a.png", png(["a"]))], {"prompt": "x" * 20_001}, 422, "invalid_field"),
        ([("a.pdf", pdf([["a"]] * 4))], {}, 413, "too_many_pages"),
        ([("a.png", png(["a"]))] * 3, {}, 400, "bad_request"),
        ([("a.png", png(["a"]))], {"callback": "https://a.example/"}, 422, "callback_refused"),
    ],
)
def test_an_unreadable_submission_is_refused_and_leaves_no_files(
    running: Running,
    tmp_path: Path,
    files: list[tuple[str, bytes]],
    fields: dict[str, str],
    status: int,
    code: str,
) -> None:
    with running(max_pages=3, max_files=2) as http:
        form = [("file", file) for file in files] or [("other", ("a.png", png(["a"])))]
        answer = http.post("/api/jobs", files=form, data=fields)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert http.get("/api/jobs").json()["total"] == 0
        kept = [path for path in (tmp_path / "runs").rglob("*/files/*")]
        uploads = [path for path in (tmp_path / "runs").rglob("upload-*")]
        assert kept == uploads == []


def test_a_job_over_the_size_limit_is_refused(running: Running) -> None:
    with running(max_job_mb=1) as http:
        answer = http.post("/api/jobs", files={"file": ("a.png", b"x" * (2 << 20))})
        assert answer.status_code == 413


def test_the_quota_refuses_before_the_body_is_read(running: Running) -> None:
    with running(quota_mb=1) as http:
        submit(http, ("a.png", png(["a"]) + b"\0" * 600_000))
        answer = http.post("/api/jobs", files={"file": ("b.png", png(["b"]) + b"\0" * 600_000)})
        assert (answer.status_code, answer.json()["error"]["code"]) == (507, "disk_full")
        assert answer.json()["error"]["retryable"]
    with running(min_free_mb=1 << 40) as http:
        answer = http.post("/api/jobs", files={"file": ("b.png", png(["b"]))})
        assert answer.status_code == 507


def test_events_contain_every_page_once_and_resume_after_the_last_id(running: Running) -> None:
    with running(FakeEngine(seconds=0.01)) as http:
        job_id = submit(http, ("a.pdf", pdf([[f"p{n}"] for n in range(20)])))["jobId"]
        received = events(http, job_id)
        ids = [int(event_id) for event_id, _, _ in received]
        assert ids == sorted(ids)
        read = [data["pageIndex"] for _, name, data in received if name == "page_done"]
        assert sorted(read) == list(range(20))
        progress = [data["pagesDone"] for _, name, data in received if name in ("job", "done")]
        assert progress == sorted(progress)
        last_id, last_name, last = received[-1]
        assert (last_name, last["status"]) == ("done", "succeeded")
        middle = next(event_id for event_id, name, _ in received if name == "page_done")
        rest = events(http, job_id, after=middle)
        again = [data["pageIndex"] for _, name, data in rest if name == "page_done"]
        assert again == read[1:]
        nothing = http.get(f"/api/jobs/{job_id}/events", headers={"Last-Event-ID": last_id})
        assert (nothing.status_code, nothing.content) == (204, b"")
        odd = http.get(f"/api/jobs/{job_id}/events", headers={"Last-Event-ID": "-1"})
        assert odd.status_code == 400


def test_live_events_have_the_text_of_a_page_while_it_is_read(running: Running) -> None:
    engine = Holds("held")
    with running(engine) as http:
        job_id = submit(http, ("a.png", png(["held"])), headers=BROWSER)["jobId"]
        wait_until(lambda: engine.running == 0 and engine.read == ["held"])
        with ThreadPoolExecutor(1) as pool:
            received = pool.submit(events, http, job_id, live=True)
            wait_until(lambda: len(followers_of(http, job_id)) == 1)
            engine.held.clear()
            named = [(name, data) for _, name, data in received.result()]
        names = [name for name, _ in named]
        assert names.index("page") < names.index("delta") < names.index("page_done")
        text = "".join(data["text"] for name, data in named if name == "delta")
        assert "held" in text
        blocks = [data["block"]["text"] for name, data in named if name == "block"]
        assert blocks == ["held"]
        assert {name for _, name, _ in events(http, job_id)} == {"page_done", "done"}


def test_without_keys_a_browser_lists_its_jobs_and_others_open_them_by_their_id(
    running: Running,
) -> None:
    with running() as http:
        mine = submit(http, ("a.png", png(["a"])), headers=BROWSER)["jobId"]
        shared = submit(http, ("b.png", png(["b"])))["jobId"]

        def listed(headers: dict[str, str]) -> list[str]:
            return [job["jobId"] for job in http.get("/api/jobs", headers=headers).json()["jobs"]]

        assert listed(BROWSER) == [shared, mine]
        other = {"X-Dsocr-Browser": "another secret of a browser"}
        assert listed(other) == listed({}) == [shared]
        assert finished(http, mine)["status"] == "succeeded"
        short = http.get("/api/jobs", headers={"X-Dsocr-Browser": "short"})
        assert (short.status_code, short.json()["error"]["code"]) == (400, "bad_request")


def test_without_keys_a_link_to_a_job_of_a_browser_only_reads_it(running: Running) -> None:
    with running() as http:
        job_id = submit(http, ("a.png", png(["a"])), headers=BROWSER)["jobId"]
        finished(http, job_id)
        path = f"/api/jobs/{job_id}"
        other = {"X-Dsocr-Browser": "another secret of a browser"}
        changes = [
            ("DELETE", path, None),
            ("PATCH", path, {"name": "b"}),
            ("POST", f"{path}/cancel", None),
            ("POST", f"{path}/resume", None),
            ("POST", f"{path}/pages/0/retry", {}),
            ("POST", f"{path}/pages/0/versions/1/take", None),
            ("PATCH", f"{path}/pages/0", {"blocks": [{"id": 0, "text": "b"}]}),
        ]
        for headers in ({}, other):
            assert http.get(path, headers=headers).json()["editable"] is False
            for method, url, body in changes:
                answer = http.request(method, url, json=body, headers=headers)
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "read_only")
        assert http.get(path, headers=BROWSER).json()["editable"] is True
        renamed = http.patch(path, json={"name": "x/Minutes\n.png"}, headers=BROWSER).json()
        assert [file["fileName"] for file in renamed["files"]] == ["Minutes.png"]
        found = http.get("/api/jobs", params={"search": "minutes"}, headers=BROWSER).json()
        assert [job["jobId"] for job in found["jobs"]] == [job_id]
        assert http.get(f"{path}/pages/0").json()["fileName"] == "Minutes.png"
        blocks = {"blocks": [{"id": 0, "text": "b"}]}
        assert http.patch(f"{path}/pages/0", json=blocks, headers=BROWSER).status_code == 200
        assert http.get(f"{path}/pages/0", headers=other).json()["correctedText"] == "b"
        assert http.delete(path, headers=BROWSER).status_code == 204


def test_a_cancelled_job_keeps_its_results(running: Running) -> None:
    engine = FakeEngine()
    with running(engine) as http:
        job_id = submit(http, ("a.pdf", pdf([["one"], ["@hang"], ["@hang"], ["four"]])))["jobId"]
        wait_until(lambda: engine.running == 2)
        wait_until(lambda: http.get(f"/api/jobs/{job_id}").json()["pagesDone"] == 1)
        job = http.post(f"/api/jobs/{job_id}/cancel").json()
        assert (job["status"], job["pagesDone"]) == ("cancelled", 1)
        wait_until(lambda: engine.running == 0)
        pages = exported(http, job_id)["pages"]
        assert [page["text"] for page in pages] == ["one", "", "", ""]
        assert pages[3]["error"]["code"] == "page_not_read"
        again = http.post(f"/api/jobs/{job_id}/cancel")
        assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")
        assert events(http, job_id)[-1][1] == "done"


def test_a_deleted_job_is_removed_with_its_files(running: Running, tmp_path: Path) -> None:
    engine = FakeEngine()
    with running(engine) as http:
        job_id = submit(http, ("a.png", png(["@hang"])))["jobId"]
        wait_until(lambda: engine.running == 1)
        assert http.delete(f"/api/jobs/{job_id}").status_code == 204
        wait_until(lambda: engine.running == 0)
        assert not (tmp_path / "runs" / "jobs" / "files" / job_id).exists()
        for path in ("", "/events", "/pages/0", "/pages/0/image", "/export"):
            assert http.get(f"/api/jobs/{job_id}{path}").status_code == 404
        assert http.delete(f"/api/jobs/{job_id}").status_code == 404


def test_jobs_are_listed_newest_first_and_filtered_by_status_and_name(running: Running) -> None:
    with running(FakeEngine(max_concurrency=1), max_running=1) as http:
        done = submit(http, ("Invoice 1.png", png(["a"])))["jobId"]
        finished(http, done)
        stuck = submit(http, ("photo.png", png(["@hang"])), ("INVOICE_2.png", png(["b"])))["jobId"]
        wait_until(lambda: http.get(f"/api/jobs/{stuck}").json()["status"] == "running")
        waiting = [submit(http, ("later.png", png(["c"])))["jobId"] for _ in range(2)]
        assert http.get("/health").json()["queue"]["jobs"] == 3

        def listed(**query: Any) -> list[str]:
            return [job["jobId"] for job in http.get("/api/jobs", params=query).json()["jobs"]]

        assert listed() == [*reversed(waiting), stuck, done]
        assert listed(limit=2, offset=1) == [waiting[0], stuck]
        assert listed(status="queued") == list(reversed(waiting))
        assert listed(search="invoice") == [stuck, done]
        assert listed(search="%") == []
        positions = [http.get(f"/api/jobs/{job_id}").json()["queuePosition"] for job_id in waiting]
        assert positions == [1, 2]
        assert http.get("/api/jobs", params={"status": "odd"}).status_code == 422
        http.post(f"/api/jobs/{stuck}/cancel")
        assert finished(http, waiting[1])["queuePosition"] is None


def test_corrections_are_kept_beside_the_result(running: Running) -> None:
    with running() as http:
        job_id = submit(http, ("a.pdf", pdf([["one", "tow", "three"], ["four"]])))["jobId"]
        finished(http, job_id)
        url = f"/api/jobs/{job_id}/pages/0"
        raw = http.get(url).json()["rawText"]
        page = http.patch(url, json={"blocks": [{"id": 1, "text": "two"}]}).json()
        assert page["corrections"] == [{"id": 1, "text": "two", "label": None}]
        assert (page["text"], page["correctedText"]) == (
            "one\n\ntow\n\nthree",
            "one\n\ntwo\n\nthree",
        )
        assert exported(http, job_id)["pages"][0]["text"] == "one\n\ntwo\n\nthree"
        assert exported(http, job_id)["pages"][0]["rawText"] == raw
        markdown = http.get(f"/api/jobs/{job_id}/export?format=markdown").text
        assert "two" in markdown and "tow" not in markdown
        back = http.patch(url, json={"blocks": [{"id": 1}]}).json()
        assert back["correctedText"] == back["text"]
        assert http.patch(url, json={"blocks": [{"id": 9, "text": "x"}]}).status_code == 404
        assert http.patch(url, json={"blocks": [{"id": -1}]}).status_code == 422


def test_a_page_is_read_again_with_other_options(running: Running) -> None:
    class Counting(FakeEngine):
        asked: list[str] = []

        async def recognize(self, page: Any, options: Any, *, on_text: Any = None) -> Any:
            self.asked.append(f"{page.index} {options.mode} {options.prompt}")
            return await super().recognize(page, options, on_text=on_text)

    engine = Counting()
    with running(engine) as http:
        job_id = submit(http, ("a.pdf", pdf([["one"], ["two"]])))["jobId"]
        last = finished(http, job_id)
        again = http.post(
            f"/api/jobs/{job_id}/pages/1/retry", json={"mode": "large", "prompt": "Free OCR."}
        )
        assert (again.status_code, again.json()["pagesDone"]) == (202, 2)
        job = finished(http, job_id)
        assert (job["status"], job["pagesDone"], job["pagesFailed"]) == ("succeeded", 2, 0)
        assert job["mode"] == last["mode"] == "gundam"
        assert engine.asked[2:] == ["1 large <image>\nFree OCR."]
        assert http.post(f"/api/jobs/{job_id}/pages/2/retry").status_code == 404
        odd = http.post(f"/api/jobs/{job_id}/pages/1/retry", json={"mode": "huge"})
        assert odd.status_code == 422


def test_a_page_is_turned_and_read_again(running: Running) -> None:
    with running() as http:
        job_id = submit(http, ("a.pdf", pdf([["one"], ["two"]])))["jobId"]
        finished(http, job_id)
        url = f"/api/jobs/{job_id}/pages/1"

        def read_again(**options: Any) -> dict[str, Any]:
            assert http.post(f"{url}/retry", json=options).status_code == 202
            finished(http, job_id)
            page: dict[str, Any] = http.get(url).json()
            return page

        def picture(query: str = "") -> tuple[int, int]:
            return Image.open(io.BytesIO(http.get(f"{url}/image{query}").content)).size

        before = http.get(url).json()
        size = before["layout"]["width"], before["layout"]["height"]
        assert (before["rotation"], picture()) == (0, size)
        after = read_again(rotation=90)
        assert (after["rotation"], after["layout"]["width"], after["layout"]["height"]) == (
            90,
            *size[::-1],
        )
        assert picture() == picture("?rotation=270") == size[::-1]
        assert picture("?rotation=0") == size
        exported = http.get(f"/api/jobs/{job_id}/export?format=pdf").content
        with pikepdf.open(io.BytesIO(exported)) as out:
            assert [int(page.obj.get("/Rotate", 0)) for page in out.pages] == [0, 90]
        events = http.get(f"/api/jobs/{job_id}/events").text
        assert '"pageIndex":1' in events and '"rotation":90' in events
        assert read_again(mode="small")["rotation"] == 90  # another mode does not turn it back
        versions = http.get(f"{url}/versions").json()["versions"]
        assert [each["rotation"] for each in versions] == [90, 0]
        assert http.post(f"{url}/versions/1/take").json()["rotation"] == 0
        assert picture() == size
        for odd in (45, 360, -90):
            refused = http.post(f"{url}/retry", json={"rotation": odd})
            assert refused.status_code == 422
            assert "rotation" in refused.json()["error"]["message"]


def test_a_corrected_page_is_read_again_only_with_discard_corrections(running: Running) -> None:
    with running() as http:
        job_id = submit(http, ("a.pdf", pdf([["one"]])))["jobId"]
        finished(http, job_id)
        url = f"/api/jobs/{job_id}/pages/0"
        http.patch(url, json={"blocks": [{"id": 0, "text": "won"}]})
        for body in (None, {"mode": "large"}, {"discard_corrections": False}):
            refused = http.post(f"{url}/retry", json=body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
            assert "discard_corrections" in refused.json()["error"]["message"]
        assert http.get(url).json()["correctedText"] == "won"
        again = http.post(f"{url}/retry", json={"discard_corrections": True})
        assert again.status_code == 202
        finished(http, job_id)
        page = http.get(url).json()
        assert (page["corrections"], page["correctedText"]) == ([], "one")


def test_readings_and_corrections_become_versions_that_can_be_taken(running: Running) -> None:
    with running() as http:
        job_id = submit(http, ("a.png", png(["a"])))["jobId"]
        finished(http, job_id)
        url = f"/api/jobs/{job_id}/pages/0"
        assert http.get(f"{url}/versions").json() == {"versions": []}
        http.patch(url, json={"blocks": [{"id": 0, "text": "better"}]})
        again = {"mode": "small", "discard_corrections": True}
        assert http.post(f"{url}/retry", json=again).status_code == 202
        finished(http, job_id)
        assert http.get(url).json()["correctedText"] == "a"
        versions = http.get(f"{url}/versions").json()["versions"]
        assert [(each["number"], each["text"]) for each in versions] == [(2, "better"), (1, "a")]
        assert [(each["mode"], each["corrections"]) for each in versions] == [
            ("gundam", 1),
            ("gundam", 0),
        ]
        taken = http.post(f"{url}/versions/2/take").json()
        assert taken["correctedText"] == http.get(url).json()["correctedText"] == "better"
        versions = http.get(f"{url}/versions").json()["versions"]
        assert [(each["number"], each["mode"]) for each in versions] == [
            (3, "small"),
            (1, "gundam"),
        ]
        missing = http.post(f"{url}/versions/2/take")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
        http.delete(f"/api/jobs/{job_id}")
        assert http.get(f"{url}/versions").status_code == 404


def test_only_the_last_versions_of_a_page_are_kept(running: Running) -> None:
    with running() as http:
        job_id = submit(http, ("a.png", png(["a"])))["jobId"]
        finished(http, job_id)
        url = f"/api/jobs/{job_id}/pages/0"
        for number in range(25):
            http.patch(url, json={"blocks": [{"id": 0, "text": str(number)}]})
        versions = http.get(f"{url}/versions").json()["versions"]
        assert [each["text"] for each in versions] == [str(n) for n in range(23, 3, -1)]


def test_a_cancelled_job_is_continued_with_its_unread_pages(running: Running) -> None:
    engine = Holds("held")
    with running(engine) as http:
        job_id = submit(http, ("a.pdf", pdf([["one"], ["held"], ["three"]])))["jobId"]
        wait_until(lambda: http.get(f"/api/jobs/{job_id}").json()["pagesDone"] == 2)
        http.post(f"/api/jobs/{job_id}/cancel")
        engine.held.clear()
        continued = http.post(f"/api/jobs/{job_id}/resume")
        assert (continued.status_code, continued.json()["status"]) == (202, "queued")
        job = finished(http, job_id)
        assert (job["status"], job["pagesDone"]) == ("succeeded", 3)
        assert engine.read.count("one") == 1
        again = http.post(f"/api/jobs/{job_id}/resume")
        assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")


def test_the_time_of_a_job_is_that_of_the_page_that_was_read_again(running: Running) -> None:
    with running() as http:
        job_id = submit(http, ("a.png", png(["a"])))["jobId"]
        first = finished(http, job_id)
        http.post(f"/api/jobs/{job_id}/pages/0/retry")
        assert finished(http, job_id)["startedAt"] >= first["finishedAt"]


def test_text_is_found_on_the_pages_of_a_job_with_its_corrections(running: Running) -> None:
    with running() as http:
        job_id = submit(http, ("a.pdf", pdf([["Grain"], ["Timber"], ["grain and more"]])))["jobId"]
        finished(http, job_id)
        http.patch(
            f"/api/jobs/{job_id}/pages/1", json={"blocks": [{"id": 0, "text": "GRAIN\nand more"}]}
        )

        def pages(text: str) -> list[int]:
            found = http.get(f"/api/jobs/{job_id}/search", params={"q": text}).json()["pages"]
            return [page["pageIndex"] for page in found if page["blocks"] == 1]

        assert (pages("grain"), pages("grain and"), pages("timber")) == ([0, 1, 2], [1, 2], [])


def test_text_is_found_in_all_jobs_of_the_list_and_in_no_other(running: Running) -> None:
    with running() as http:
        for headers in (BROWSER, {}, {"X-Dsocr-Browser": "another secret of a browser"}):
            finished(http, submit(http, ("a.png", png(["港口的货物"])), headers=headers)["jobId"])
        answer = http.get("/api/search", params={"q": "货物", "limit": 1}, headers=BROWSER).json()
        (found,) = answer["found"]
        assert (answer["more"], found["fileName"], found["pageIndex"]) == (True, "a.png", 0)
        assert {"text": "货物", "match": True} in found["excerpt"]
        everything = http.get("/api/search", params={"q": "货物"}, headers=BROWSER).json()
        assert (len(everything["found"]), everything["more"]) == (2, False)
        assert http.get("/api/search").status_code == 422


def test_the_image_of_a_page_is_as_wide_as_asked_for(running: Running) -> None:
    with running() as http:
        job_id = submit(http, ("a.pdf", pdf([["a"]])))["jobId"]

        def size(query: str) -> tuple[int, int]:
            content = http.get(f"/api/jobs/{job_id}/pages/0/image{query}").content
            return Image.open(io.BytesIO(content)).size

        small, usual, sharp = size("?width=160"), size(""), size("?width=2400")
        assert small[0] == 160
        assert small[0] < usual[0] < sharp[0] <= 2400
        assert abs(small[0] / small[1] - usual[0] / usual[1]) < 0.01
        assert http.get(f"/api/jobs/{job_id}/pages/0/image?width=9").status_code == 422


async def test_the_image_of_a_page_is_not_rendered_for_a_client_that_has_left() -> None:
    cancelled = asyncio.Event()

    async def image(*args: Any, **kwargs: Any) -> bytes:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return b""

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.disconnect"}

    service: Any = SimpleNamespace(jobs=SimpleNamespace(image=image))
    with pytest.raises(ClientDisconnected):
        await page_image("a", 0, Request({"type": "http"}, receive), service, None)
    assert cancelled.is_set()


def test_the_image_of_a_page_is_available_before_the_page_was_read(running: Running) -> None:
    with running(FakeEngine()) as http:
        job_id = submit(http, ("a.pdf", pdf([["@hang"], ["b"]])))["jobId"]
        answer = http.get(f"/api/jobs/{job_id}/pages/1/image")
        assert answer.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(answer.content)).size == (596, 840)
        assert http.get(f"/api/jobs/{job_id}/pages/2/image").status_code == 404
        unread = http.get(f"/api/jobs/{job_id}/pages/0")
        assert (unread.status_code, unread.json()["error"]["code"]) == (404, "page_not_read")


def test_exports_are_downloads_named_as_the_document(running: Running) -> None:
    with running() as http:
        job_id = submit(http, ("Größe 1.pdf", pdf([["words"]])))["jobId"]
        finished(http, job_id)
        answer = http.get(f"/api/jobs/{job_id}/export?format=zip")
        disposition = answer.headers["content-disposition"]
        assert disposition.startswith('attachment; filename="Gr__e 1.zip"')
        assert "filename*=UTF-8''Gr%C3%B6%C3%9Fe%201.zip" in disposition
        assert "document.md" in zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
        assert http.get(f"/api/jobs/{job_id}/export?format=odd").status_code == 400


@pytest.mark.parametrize("by_job", [True, False])
def test_a_searchable_pdf_keeps_the_pages_of_its_file(running: Running, by_job: bool) -> None:
    file = pdf([["words"], ["more"]])
    with running() as http:
        if by_job:
            job_id = submit(http, ("a.pdf", file))["jobId"]
            finished(http, job_id)
            answer = http.get(f"/api/jobs/{job_id}/export?format=pdf")
        else:
            result = http.post("/api/ocr", files={"image": ("a.pdf", file)}).text
            form = {"format": "pdf", "result": result}
            answer = http.post("/api/export", data=form, files={"file": ("a.pdf", file)})
    assert answer.headers["content-type"] == "application/pdf"
    with pikepdf.open(io.BytesIO(answer.content)) as written:
        assert len(written.pages) == 2
        written.pages[1].contents_coalesce()
        assert b"(more)" in written.pages[1].obj.Contents.read_bytes()


def test_a_correction_is_in_every_format(running: Running) -> None:
    with running() as http:
        job_id = submit(http, ("a.png", png(["first words"])))["jobId"]
        finished(http, job_id)
        corrected = {"blocks": [{"id": 0, "text": "Zweifelsfrei"}]}
        assert http.patch(f"/api/jobs/{job_id}/pages/0", json=corrected).status_code == 200
        offered = http.get(f"/api/jobs/{job_id}/formats").json()["formats"]
        for each in offered:
            answer = http.get(f"/api/jobs/{job_id}/export?format={each['key']}")
            if each["missing"]:
                assert answer.status_code == 400
                continue
            assert answer.status_code == 200, answer.text
            assert "Zweifelsfrei" in text_of_export(each["key"], answer.content), each["key"]


def text_of_export(format: str, content: bytes) -> str:
    if format == "pdf":
        document = pypdfium2.PdfDocument(content)
        try:
            return document[0].get_textpage().get_text_range()
        finally:
            document.close()
    if format in ("zip", "docx", "xlsx"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return "".join(
                archive.read(name).decode("utf-8", "replace") for name in archive.namelist()
            )
    return content.decode()


def test_options_of_an_export_are_fields_of_its_query_form_and_body(running: Running) -> None:
    with running() as http:
        job_id = submit(http, ("a.png", png(["words"])))["jobId"]
        finished(http, job_id)
        url = f"/api/jobs/{job_id}/export"
        assert http.get(f"{url}?frontmatter=true").text.startswith("---\ntitle: ")
        for wrong in ("tables=csv", "chunk_size=1", "join=perhaps", "tocc=true"):
            answer = http.get(f"{url}?{wrong}")
            assert answer.status_code == 422
            assert wrong.split("=")[0] in answer.json()["error"]["message"]
        files = {"result": ("result.json", http.get(f"{url}?format=json").content)}
        form = {"format": "markdown", "frontmatter": "true"}
        answer = http.post("/api/export", data=form, files=files)
        assert answer.text.startswith("---\ntitle: ")
        answer = http.post("/api/export", data={**form, "math": "x"}, files=files)
        assert answer.status_code == 422 and "math" in answer.json()["error"]["message"]
        body = {"jobIds": [job_id], "frontmatter": True}
        answer = http.post("/api/jobs/export", json=body)
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.read("001-a.md").startswith(b"---\ntitle: ")


def test_matches_are_taken_out_of_the_export_of_a_job_a_result_and_a_bundle(
    running: Running,
) -> None:
    image = png(["Mr Smith lives", "at a.b@example.org"])
    taken = {"redact": ["Smith", "email"]}
    with running() as http:
        job_id = submit(http, ("Smith 7.png", image))["jobId"]
        finished(http, job_id)
        url = f"/api/jobs/{job_id}/export"
        whole = http.get(f"{url}?format=json").content
        assert b"Smith" in whole
        form = {"format": "zip", "redact": "Smith\nemail\n"}
        files = {"result": ("result.json", whole), "file": ("Smith 7.png", image)}
        answers = [
            http.get(url, params={"format": "zip", **taken}),
            http.post(url, json={"format": "zip", **taken}),
            http.post("/api/export", data=form, files=files),
            http.post("/api/export", data={"format": "zip"}, files=files, params=taken),
            http.post("/api/jobs/export", json={"jobIds": [job_id], "format": "text", **taken}),
        ]
        for answer in answers:
            assert answer.status_code == 200, answer.text
            assert "Smith" not in answer.headers["content-disposition"]
            with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
                texts = [archive.read(name).decode() for name in archive.namelist()]
                found = "".join([*archive.namelist(), *texts])
            assert "lives" in found and "Smith" not in found and "example" not in found
        wrong = http.get(url, params={"redact": "/(/"})
        assert wrong.status_code == 422 and "pattern 1" in wrong.json()["error"]["message"]


def test_a_result_of_an_encrypted_document_is_exported_with_its_password(running: Running) -> None:
    encrypted = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf([["Mr Smith lives"]]))) as source:
        source.save(encrypted, encryption=pikepdf.Encryption(user="open", owner="all"))
    file = ("a.pdf", encrypted.getvalue())
    with running() as http:
        form = {"password": "open"}
        result = http.post("/api/ocr", data=form, files={"image": file}).content
        files = {"result": ("result.json", result), "file": file}
        for redact in ("", "Smith"):
            wanted = {"format": "pdf", "redact": redact}
            answer = http.post("/api/export", data=wanted, files=files)
            assert answer.status_code == 422 and "password" in answer.json()["error"]["message"]
            answer = http.post("/api/export", data={**wanted, **form}, files=files)
            assert answer.status_code == 200, answer.text
            text = text_of_export("pdf", answer.content)
            assert "lives" in text and ("Smith" in text) == (not redact)


def test_an_uploaded_result_is_exported_without_a_job(running: Running) -> None:
    image = png(["some words"])
    with running() as http:
        result = http.post("/api/ocr", files={"image": ("a.png", image)}).json()
        files = {"result": ("blob", json.dumps(result).encode())}
        page = http.post("/api/export", data={"format": "html"}, files=files)
        assert page.status_code == 200
        assert "some words" in page.text
        assert 'filename="a.html"' in page.headers["content-disposition"]
        field = {"format": "markdown", "result": json.dumps(result)}
        other = {"file": ("a.png", image)}
        assert http.post("/api/export", data=field, files=other).text == "some words\n"
        broken = http.post("/api/export", data={"format": "text", "result": "{}"}, files=other)
        assert (broken.status_code, broken.json()["error"]["code"]) == (422, "invalid_field")
        assert http.get("/api/jobs").json()["total"] == 0


def test_a_key_sees_its_own_jobs_and_those_without_an_owner(running: Running) -> None:
    one, two = ({"X-Api-Key": key} for key in ("key-one", "key-two"))
    with running() as http:
        unowned = submit(http, ("a.png", png(["a"])))["jobId"]
        finished(http, unowned)
    with running(server={"api_keys": ("key-one", "key-two")}) as http:
        mine = submit(http, ("b.png", png(["b"])), headers=one)["jobId"]
        assert http.get(f"/api/jobs/{mine}", headers=one).status_code == 200
        for method, path in (
            ("GET", ""),
            ("GET", "/events"),
            ("GET", "/pages/0"),
            ("GET", "/pages/0/image"),
            ("GET", "/export"),
            ("POST", "/cancel"),
            ("POST", "/pages/0/retry"),
            ("DELETE", ""),
        ):
            answer = http.request(method, f"/api/jobs/{mine}{path}", headers=two)
            assert answer.status_code == 404, path
        body = {"blocks": [{"id": 0, "text": "x"}]}
        other = http.patch(f"/api/jobs/{mine}/pages/0", json=body, headers=two)
        assert other.status_code == 404
        assert http.get("/api/jobs", headers=two).json()["total"] == 1
        assert http.get("/api/jobs", headers=one).json()["total"] == 2
        assert http.get("/api/jobs").status_code == 401


def test_keys_are_not_stored(running: Running, tmp_path: Path) -> None:
    with running(server={"api_keys": ("canary-4711",)}) as http:
        job_id = submit(http, ("a.png", png(["a"])), headers={"X-Api-Key": "canary-4711"})["jobId"]
        wait_until(
            lambda: (
                http.get(f"/api/jobs/{job_id}", headers={"X-Api-Key": "canary-4711"}).json()[
                    "finishedAt"
                ]
                is not None
            )
        )
    for path in (tmp_path / "runs").rglob("*"):
        assert not path.is_file() or b"canary" not in path.read_bytes()


def test_unfinished_jobs_of_a_key_are_limited(running: Running) -> None:
    headers = {"X-Api-Key": "key-one"}
    with running(max_jobs_per_key=2, server={"api_keys": ("key-one", "key-two")}) as http:
        for _ in range(2):
            submit(http, ("a.png", png(["@hang"])), headers=headers)
        full = http.post("/api/jobs", files={"file": ("a.png", png(["a"]))}, headers=headers)
        assert (full.status_code, full.json()["error"]["code"]) == (429, "queue_full")
        assert "retry-after" in full.headers
        submit(http, ("a.png", png(["a"])), headers={"X-Api-Key": "key-two"})


def test_an_old_finished_job_is_deleted(running: Running, tmp_path: Path) -> None:
    with running(retention_days=1 / 86400) as http:
        job_id = submit(http, ("a.png", png(["a"])))["jobId"]
        stuck = submit(http, ("a.png", png(["@hang"])))["jobId"]
        wait_until(lambda: http.get(f"/api/jobs/{job_id}").status_code == 404)
        assert http.get(f"/api/jobs/{stuck}").status_code == 200
        files = tmp_path / "runs" / "jobs" / "files"
        wait_until(lambda: [path.name for path in files.iterdir()] == [stuck])


def test_requests_are_read_before_the_pages_of_jobs(running: Running) -> None:
    engine = Holds("b4", max_concurrency=1)
    with running(engine) as http, ThreadPoolExecutor(1) as beside:
        for book in "ab":
            submit(http, ("book.pdf", pdf([[f"{book}{n}"] for n in range(60)])))
        wait_until(lambda: "b4" in engine.read)
        slots = http.app.state.service.host._pipeline._engine_slots  # type: ignore[attr-defined]
        asked = beside.submit(http.post, "/api/ocr", files={"image": ("a.png", png(["me"]))})
        wait_until(lambda: slots._first or slots._repeated)
        engine.held.clear()
        assert asked.result().status_code == 200
        assert engine.read[engine.read.index("b4") + 1] == "me", "pages of jobs were read before it"


def test_keys_share_the_engine_equally_whatever_their_number_of_jobs(
    running: Running,
) -> None:
    engine = FakeEngine(max_concurrency=1, seconds=0.02)
    one, two = ({"X-Api-Key": key} for key in ("key-one", "key-two"))
    with running(engine, max_running=2, server={"api_keys": ("key-one", "key-two")}) as http:
        for number in range(4):
            content = pdf([[f"a{number}"]] * 500)
            submit(http, (f"{number}.pdf", content), headers=one)
        wait_until(lambda: len(engine.read) > 5)
        submit(http, ("b.pdf", pdf([["b"]] * 30)), headers=two)
        wait_until(lambda: engine.read.count("b") == 30)
    assert {"a0", "a1", "b"} == set(engine.read), "more of one key were begun than may be"


def test_a_job_claimed_during_the_check_of_leases_is_kept(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check sees a moment before the claim and speaks of it after the claim."""
    held = leases.leases_of
    looked = threading.Event()

    def slowly(connection: Any, process: str) -> dict[str, int]:
        before = held(connection, process)
        looked.set()
        time.sleep(0.3)
        return before

    monkeypatch.setattr(leases, "leases_of", slowly)
    with running(FakeEngine(seconds=0.01)) as http:
        stuck = submit(http, ("a.png", png(["@hang"])))["jobId"]  # so that there is one to check
        wait_until(lambda: http.get(f"/api/jobs/{stuck}").json()["status"] == "running")
        looked.clear()
        wait_until(looked.is_set)
        job_id = submit(http, ("b.pdf", pdf([["b"]] * 40)))["jobId"]
        assert finished(http, job_id)["status"] == "succeeded"


def test_a_job_dropped_by_a_bug_is_claimed_again(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    todo = queries.pending_pages
    bugs = ["first", "second"]

    def fail(*about: Any) -> None:
        raise RuntimeError(bugs.pop())

    def broken_once(connection: Any, job_id: str) -> Any:
        if bugs:
            monkeypatch.setattr(leases, "fail", fail)
            raise RuntimeError(bugs.pop())
        return todo(connection, job_id)

    monkeypatch.setattr(queries, "pending_pages", broken_once)
    with running() as http:
        job_id = submit(http, ("a.png", png(["a"])))["jobId"]
        assert finished(http, job_id)["status"] == "succeeded"


def test_a_job_over_its_deadline_fails_and_keeps_its_results(running: Running) -> None:
    engine = Holds("two", "three", max_concurrency=1, seconds=0.1)
    with running(engine, max_seconds=0.01) as http:
        job_id = submit(http, ("a.pdf", pdf([["one"], ["two"], ["three"]])))["jobId"]
        over = finished(http, job_id)
        assert (over["status"], over["error"]["code"]) == ("failed", "job_timeout")
        assert (over["pagesDone"], over["pagesFailed"]) == (1, 0)
        pages = exported(http, job_id)["pages"]
        assert [page["text"] for page in pages] == ["one", "", ""]
        assert pages[1]["error"]["code"] == "page_not_read"
        engine.held.remove("two")
        again = http.post(f"/api/jobs/{job_id}/pages/1/retry").json()
        assert (again["status"], again["error"]) == ("queued", None)
        over = finished(http, job_id)
        assert (over["status"], over["error"]["code"]) == ("failed", "job_timeout")
        assert [page["text"] for page in exported(http, job_id)["pages"]] == ["one", "two", ""]


def test_a_job_continues_when_the_engine_is_back(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dsocr.errors import EngineUnavailable

    class Moody(FakeEngine):
        away = 3

        async def recognize(self, page: Any, options: Any, *, on_text: Any = None) -> Any:
            if page.index == 2 and self.away:
                self.away -= 1
                raise EngineUnavailable()
            return await super().recognize(page, options, on_text=on_text)

    monkeypatch.setattr("dsocr.jobs.job_runner.ENGINE_PAUSE_SECONDS", 0.01)
    engine = Moody()
    with running(engine) as http:
        job_id = submit(http, ("a.pdf", pdf([[f"p{n}"] for n in range(5)])))["jobId"]
        over = finished(http, job_id)
        assert (over["status"], over["pagesFailed"], engine.away) == ("succeeded", 0, 0)


def test_a_running_job_has_an_eta(running: Running) -> None:
    engine = Holds("a6", max_concurrency=1, seconds=0.02)
    with running(engine, max_running=1) as http:
        first = submit(http, ("a.pdf", pdf([[f"a{n}"] for n in range(60)])))["jobId"]
        second = submit(http, ("b.pdf", pdf([["b"]] * 60)))["jobId"]
        wait_until(lambda: http.get(f"/api/jobs/{first}").json()["pagesDone"] == 6)
        soon = http.get(f"/api/jobs/{first}").json()["etaSeconds"]
        later = http.get(f"/api/jobs/{second}").json()["etaSeconds"]
        assert 0 < soon < later


@pytest.mark.parametrize("database_url", [""])  # SQLite can be told that its disk is full
def test_a_job_waits_while_the_disk_is_full(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dsocr.jobs.job_runner.STORE_PAUSE_SECONDS", 0.05)
    engine = Holds("p9")
    with running(engine) as http:
        database = http.app.state.service.jobs._database  # type: ignore[attr-defined]

        def pragma(words: str) -> Any:
            def ask(connection: Any) -> Any:
                return connection.exec_driver_sql(f"PRAGMA {words}").scalar()

            assert http.portal is not None
            return http.portal.call(database.write, ask)

        pages = [[f"p{n}", *["@html=" + "word " * 64] * 9] for n in range(60)]
        job_id = submit(http, ("a.pdf", pdf(pages)))["jobId"]
        wait_until(lambda: "p9" in engine.read)
        pragma(f"max_page_count={pragma('page_count')}")
        engine.held.clear()
        wait_until(lambda: engine.running == 0 and len(engine.read) > 10)
        refused = http.post("/api/jobs", files={"file": ("b.pdf", pdf([["b"]] * 5000))})
        assert (refused.status_code, refused.json()["error"]["code"]) == (507, "disk_full")
        paused = http.get(f"/api/jobs/{job_id}").json()
        assert (paused["status"], paused["pagesFailed"]) == ("running", 0)
        assert http.get("/api/jobs").json()["total"] == 1
        pragma("max_page_count=1000000")
        over = finished(http, job_id)
        assert (over["status"], over["pagesDone"], over["pagesFailed"]) == ("succeeded", 60, 0)
        assert len(engine.read) == 60


def test_flags_of_a_page_that_looped_are_stored(running: Running) -> None:
    with running() as http:
        job_id = submit(http, ("a.pdf", pdf([["fine"], ["@loop"]])))["jobId"]
        finished(http, job_id)
        page = http.get(f"/api/jobs/{job_id}/pages/1").json()
        exported = http.get(f"/api/jobs/{job_id}/export?format=json").json()["pages"]
    assert page["finishReason"] == "repetition"
    assert page["flags"][:2] == ["repetition", "tried:as_asked=repetition"]
    assert page["flags"][-1] == "kept:as_asked"
    assert [one["flags"] for one in exported] == [[], page["flags"]]


def test_short_jobs_fill_an_engine_that_takes_many_pages(running: Running) -> None:
    with running(ReadsTogether(20)) as http:
        wait_until(lambda: http.get("/ready").status_code == 200)
        jobs = [submit(http, (f"{n}.png", png([str(n)])))["jobId"] for n in range(20)]
        assert {finished(http, job)["status"] for job in jobs} == {"succeeded"}


def test_one_job_of_small_files_fills_an_engine_that_takes_many_pages(running: Running) -> None:
    with running(ReadsTogether(20)) as http:
        wait_until(lambda: http.get("/ready").status_code == 200)
        job = submit(http, *((f"{n}.png", png([str(n)])) for n in range(20)))
        assert finished(http, job["jobId"])["pagesDone"] == 20
