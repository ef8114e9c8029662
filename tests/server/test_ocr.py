"""`POST /api/ocr` on an engine that obeys orders, for what no real engine does on demand."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from dsocr.server.app import create_app
from dsocr.server.schemas import ErrorAnswer, OcrAnswer
from tests.fakes import FakeEngine, pdf, png
from tests.server.conftest import Client, Serve, settings_with
from tests.waiting import DEADLINE_SECONDS, wait_until

IMAGE = {"image": ("math.png", png(["hello", "world"]), "image/png")}


def image(*lines: str) -> dict[str, Any]:
    return {"image": ("page.png", png(lines), "image/png")}


def document(*pages: list[str]) -> dict[str, Any]:
    return {"image": ("pages.pdf", pdf(pages), "application/pdf")}


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    events = []
    for chunk in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in chunk.splitlines() if line[:1] != ":")
        if lines:
            events.append((lines["event"], json.loads(lines["data"])))
    return events


def test_an_image_comes_back_as_text_with_boxes(client: Client) -> None:
    with client() as http:
        answer = http.post("/api/ocr", files=IMAGE, data={"mode": "tiny"})

    assert answer.status_code == 200
    OcrAnswer.model_validate(answer.json(), strict=True, extra="forbid")
    body = answer.json()
    assert body["text"] == "hello\n\nworld"
    assert body["rawText"].startswith("<|ref|>text<|/ref|><|det|>[[")
    assert (body["mode"], body["fileName"]) == ("tiny", "math.png")
    assert body["fileSize"] == len(IMAGE["image"][1])
    assert body["layout"] == body["pages"][0]["layout"]
    assert body["requestId"] == answer.headers["x-request-id"]


def test_a_pdf_is_read_page_by_page_and_a_failed_page_keeps_its_place(client: Client) -> None:
    with client() as http:
        body = http.post("/api/ocr", files=document(["one"], ["@crash"], ["three"])).json()

    assert [page["pageIndex"] for page in body["pages"]] == [0, 1, 2]
    assert [page["text"] for page in body["pages"]] == ["one", "", "three"]
    assert body["pages"][1]["error"]["code"] == "engine_crash"
    assert body["text"].index("one") < body["text"].index("Page 2") < body["text"].index("three")


def test_a_document_of_which_nothing_could_be_read_is_an_error(client: Client) -> None:
    with client() as http:
        answer = http.post("/api/ocr", files=document(["@crash"], ["@crash"]))

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "engine_crash"
    assert int(answer.headers["retry-after"]) > 0


def test_a_bug_is_told_without_its_details(client: Client) -> None:
    with client() as http:
        answer = http.post("/api/ocr", files=image("@oom"))

    assert answer.status_code == 500
    assert "as ordered" not in answer.text and "Traceback" not in answer.text
    ErrorAnswer.model_validate(answer.json())


def test_chosen_pages_alone_are_read(client: Client) -> None:
    with client() as http:
        body = http.post(
            "/api/ocr", files=document(["one"], ["two"], ["three"]), data={"pages": "3,1"}
        ).json()

    assert [page["pageIndex"] for page in body["pages"]] == [2, 0]


def test_too_many_pages_are_sent_to_the_jobs(client: Client) -> None:
    with client(max_pages=2) as http:
        whole = http.post("/api/ocr", files=document(["one"], ["two"], ["three"]))
        part = http.post("/api/ocr", files=document(["1"], ["2"], ["3"]), data={"pages": "1-2"})

    assert (whole.status_code, whole.json()["error"]["code"]) == (413, "too_many_pages")
    assert "/api/jobs" in whole.json()["detail"]
    assert part.status_code == 200


def test_a_prompt_without_its_image_gets_one(client: Client) -> None:
    with client() as http:
        body = http.post("/api/ocr", files=IMAGE, data={"prompt": "Free OCR."}).json()

    assert body["prompt"] == "<image>\nFree OCR."


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"mode": "huge"}, "huge"),
        ({"prompt": "x" * 20_001}, "prompt"),
        ({"max_tokens": "0"}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": "9000"}, "max_tokens"),
        ({"temperature": "-1"}, "temperature"),
        ({"temperature": "nan"}, "temperature"),
        ({"no_repeat_ngram": "5/2"}, "no_repeat_ngram"),
        ({"engine": "other"}, "engine"),
        ({"prompt": "<image>\nDescribe this image in detail."}, "describe"),
    ],
)
def test_a_field_that_makes_no_sense_is_named(
    client: Client, fields: dict[str, str], names: str
) -> None:
    with client() as http:
        answer = http.post("/api/ocr", files=IMAGE, data=fields)

    assert answer.status_code == 422
    assert names in answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["auto", "ppocr", "rapidocr"])
def test_the_running_engine_may_be_requested_by_any_of_its_names(client: Client, name: str) -> None:
    with client() as http:
        answer = http.post("/api/ocr", files=IMAGE, data={"engine": name})

    assert answer.status_code == 200


@pytest.mark.parametrize("pages", ["x", "0", "2", "1-", "2-1", "1;2", "-"])
def test_pages_that_do_not_exist_are_refused_or_read(client: Client, pages: str) -> None:
    with client() as http:
        answer = http.post("/api/ocr", files=IMAGE, data={"pages": pages})

    assert answer.status_code == (200 if pages == "1-" else 400)


def test_every_option_reaches_the_engine(client: Client) -> None:
    class Remembering(FakeEngine):
        async def recognize(self, page: Any, options: Any, *, on_text: Any = None) -> Any:
            self.options = options
            return await super().recognize(page, options, on_text=on_text)

    engine = Remembering()
    fields = {"max_tokens": "7", "temperature": "0.5", "no_repeat_ngram": "off", "mode": "large"}
    with client(engine) as http:
        assert http.post("/api/ocr", files=IMAGE, data=fields).status_code == 200

    options = engine.options
    assert (options.max_tokens, options.temperature, options.mode) == (7, 0.5, "large")
    assert options.no_repeat_ngram is None


def test_events_tell_the_page_as_it_is_read(client: Client) -> None:
    with client() as http:
        answer = http.post("/api/ocr", files=IMAGE, headers={"Accept": "text/event-stream"})

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    events = events_of(answer.text)
    names = [name for name, _ in events]
    assert names[0] == "page" and names[-2:] == ["page_done", "done"]
    done = events[-1][1]
    OcrAnswer.model_validate(done, strict=True)
    told = "".join(data["text"] for name, data in events if name == "delta")
    assert told == done["rawText"]
    blocks = [data["block"] for name, data in events if name == "block"]
    assert [block["id"] for block in blocks] == [0, 1]
    assert [block["text"] for block in blocks] == ["hello", "world"]
    assert [line for line in answer.text.splitlines() if line.startswith("id:")] == [
        f"id: {number}" for number in range(1, len(events) + 1)
    ]


def test_events_are_sent_while_the_document_is_read(serve: Serve) -> None:
    """The second page never ends, so the events of the first are sent before the document's end."""
    content = pdf([["hello"], ["@hang"]])
    url = "http://127.0.0.1:{}/api/ocr"
    with serve() as served, httpx.Client(timeout=DEADLINE_SECONDS) as http:
        request = {"files": {"image": content}, "headers": {"Accept": "text/event-stream"}}
        with http.stream("POST", url.format(served.port), **request) as answer:
            told = ""
            for piece in answer.iter_text():
                told += piece
                if "event: page_done" in told:
                    break
        wait_until(lambda: served.engine.running == 0)

    deltas = [data["text"] for name, data in events_of(told) if name == "delta"]
    assert "hello" in "".join(deltas)


def test_events_of_a_document_that_fails_end_with_its_error(client: Client) -> None:
    with client() as http:
        answer = http.post(
            "/api/ocr", files=image("@crash"), headers={"Accept": "text/event-stream"}
        )

    name, data = events_of(answer.text)[-1]
    assert name == "error"
    ErrorAnswer.model_validate(data)
    assert data["error"]["code"] == "engine_crash"


def test_what_is_wrong_before_the_first_page_is_no_event_but_an_error(client: Client) -> None:
    with client() as http:
        answer = http.post(
            "/api/ocr", files={"image": b"words"}, headers={"Accept": "text/event-stream"}
        )

    assert answer.status_code == 415


def test_silence_on_the_stream_is_filled_with_comments(client: Client) -> None:
    with client(heartbeat_seconds=0.05) as http:
        answer = http.post(
            "/api/ocr", files=image("@slow=0.3"), headers={"Accept": "text/event-stream"}
        )

    assert ": still reading\n\n" in answer.text


@pytest.mark.parametrize("headers", [{}, {"Accept": "text/event-stream"}])
def test_no_upload_stays_behind(client: Client, tmp_path: Path, headers: dict[str, str]) -> None:
    with client() as http:
        for files in (IMAGE, image("@crash"), {"image": b"words"}, {"other": b"words"}):
            http.post("/api/ocr", files=files, headers=headers)

        assert [path.name for path in (tmp_path / "runs").iterdir()] == ["jobs"]


TRIED = ["as_asked", "mode_base", "without_grounding", "halves"]


def test_a_page_that_loops_however_it_is_read_is_answered_cut_and_flagged(client: Client) -> None:
    engine = FakeEngine()
    with client(engine) as http:
        answer = http.post("/api/ocr", files=document(["fine"], ["@loop"]))

    assert answer.status_code == 200
    fine, looped = answer.json()["pages"]
    assert (fine["finishReason"], fine["flags"]) == ("stop", [])
    assert looped["finishReason"] == "repetition"
    assert looped["flags"] == [
        "repetition",
        *(f"tried:{step}=repetition" for step in TRIED),
        "kept:as_asked",
    ]
    assert engine.read.count("@loop") == 4


def test_a_stream_is_told_to_drop_what_a_retry_replaces(client: Client) -> None:
    with client() as http:
        answer = http.post(
            "/api/ocr", files=document(["@loop"]), headers={"Accept": "text/event-stream"}
        )

    events = events_of(answer.text)
    assert [name for name, _ in events if name == "page_reset"] != []
    last = max(at for at, (name, _) in enumerate(events) if name == "page_reset")
    told = "".join(data["text"] for name, data in events[last:] if name == "delta")
    blocks = [data["block"] for name, data in events[last:] if name == "block"]
    done = events[-1]
    assert done[0] == "done" and told == done[1]["rawText"]
    assert blocks == done[1]["layout"]["items"]
    assert "kept:as_asked" in done[1]["pages"][0]["flags"]


def test_with_retries_switched_off_a_page_is_read_once(tmp_path: Path) -> None:
    settings = dataclasses.replace(settings_with(tmp_path / "runs"), retry=False)
    engine = FakeEngine()
    with TestClient(create_app(settings, create_engine=lambda name, config: engine)) as http:
        page = http.post("/api/ocr", files=document(["@loop"])).json()["pages"][0]

    assert (page["finishReason"], page["flags"]) == ("repetition", ["repetition"])
    assert engine.read == ["@loop"]
