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
from dsocr.server.schemas.errors import ErrorAnswer
from dsocr.server.schemas.ocr import OcrAnswer
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


def test_an_image_returns_text_with_boxes(client: Client) -> None:
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


def test_a_failed_page_of_a_pdf_keeps_its_index(client: Client) -> None:
    with client() as http:
        body = http.post("/api/ocr", files=document(["one"], ["@crash"], ["three"])).json()

    assert [page["pageIndex"] for page in body["pages"]] == [0, 1, 2]
    assert [page["text"] for page in body["pages"]] == ["one", "", "three"]
    assert body["pages"][1]["error"]["code"] == "engine_crash"
    assert body["text"].index("one") < body["text"].index("Page 2") < body["text"].index("three")


def test_a_document_whose_pages_all_failed_is_an_error(client: Client) -> None:
    with client() as http:
        answer = http.post("/api/ocr", files=document(["@crash"], ["@crash"]))

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "engine_crash"
    assert int(answer.headers["retry-after"]) > 0


def test_a_bug_is_reported_without_details(client: Client) -> None:
    with client() as http:
        answer = http.post("/api/ocr", files=image("@oom"))

    assert answer.status_code == 500
    assert "as ordered" not in answer.text and "Traceback" not in answer.text
    ErrorAnswer.model_validate(answer.json())


def test_only_selected_pages_are_read(client: Client) -> None:
    with client() as http:
        body = http.post(
            "/api/ocr", files=document(["one"], ["two"], ["three"]), data={"pages": "3,1"}
        ).json()

    assert [page["pageIndex"] for page in body["pages"]] == [2, 0]


def test_too_many_pages_are_refused_with_a_hint_at_jobs(client: Client) -> None:
    with client(max_pages=2) as http:
        whole = http.post("/api/ocr", files=document(["one"], ["two"], ["three"]))
        part = http.post("/api/ocr", files=document(["1"], ["2"], ["3"]), data={"pages": "1-2"})

    assert (whole.status_code, whole.json()["error"]["code"]) == (413, "too_many_pages")
    assert "/api/jobs" in whole.json()["detail"]
    assert part.status_code == 200


def test_a_prompt_without_image_tag_gets_one(client: Client) -> None:
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
def test_an_invalid_field_is_named(client: Client, fields: dict[str, str], names: str) -> None:
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
def test_page_ranges_beyond_the_document(client: Client, pages: str) -> None:
    with client() as http:
        answer = http.post("/api/ocr", files=IMAGE, data={"pages": pages})

    assert answer.status_code == (200 if pages == "1-" else 400)


def test_all_options_reach_the_engine(client: Client) -> None:
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


@pytest.mark.parametrize("asked", [100, 36, None])
def test_pages_are_rendered_at_the_dpi_of_the_request(client: Client, asked: int | None) -> None:
    class Remembering(FakeEngine):
        async def recognize(self, page: Any, options: Any, *, on_text: Any = None) -> Any:
            self.dpi = page.dpi
            return await super().recognize(page, options, on_text=on_text)

    engine = Remembering()
    with client(engine) as http:
        fields = {} if asked is None else {"dpi": str(asked)}
        answer = http.post("/api/ocr", files=document(["one"]), data=fields)
        assert answer.status_code == 200

    assert engine.dpi == (asked or 144)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("promt", "prompt"),
        ("dip", "dpi"),
        ("max-tokens", "max_tokens"),
        ("noRepeatNgram", "no_repeat_ngram"),
        ("q", ""),
    ],
)
def test_an_unknown_field_is_named_with_the_nearest(
    client: Client, name: str, nearest: str
) -> None:
    with client() as http:
        answer = http.post("/api/ocr", files=IMAGE, data={name: "1"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_field")
    message = answer.json()["error"]["message"]
    assert message.startswith(f"{name}: there is no such field; the nearest is {nearest}")


@pytest.mark.parametrize(
    ("files", "data", "message"),
    [
        ({"img": b"x"}, {}, "img: there is no such field; the nearest is image"),
        ({"prompt": b"Free OCR."}, {}, "prompt: send it as text, not as a file"),
        ({}, {"image": "x"}, "image: it has no file name"),
        ({**IMAGE}, {"file": "x"}, "file: it has no file name"),
        ({**IMAGE}, {"image": "x" * (2 << 20)}, "A file needs a file name"),
    ],
)
def test_text_and_files_are_not_taken_for_each_other(
    client: Client, files: dict[str, Any], data: dict[str, str], message: str
) -> None:
    texts = [(name, (None, value)) for name, value in data.items()]
    with client() as http:
        answer = http.post("/api/ocr", files=[*files.items(), *texts])

    assert answer.status_code == 422
    assert message in answer.json()["error"]["message"]


def test_events_follow_a_page_while_it_is_read(client: Client) -> None:
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
    text = "".join(data["text"] for name, data in events if name == "delta")
    assert text == done["rawText"]
    blocks = [data["block"] for name, data in events if name == "block"]
    assert [block["id"] for block in blocks] == [0, 1]
    assert [block["text"] for block in blocks] == ["hello", "world"]
    assert [line for line in answer.text.splitlines() if line.startswith("id:")] == [
        f"id: {number}" for number in range(1, len(events) + 1)
    ]


def test_events_are_sent_before_the_document_is_complete(serve: Serve) -> None:
    """The second page never ends, so the events of the first are sent before the document's end."""
    content = pdf([["hello"], ["@hang"]])
    url = "http://127.0.0.1:{}/api/ocr"
    with serve() as served, httpx.Client(timeout=DEADLINE_SECONDS) as http:
        request = {"files": {"image": content}, "headers": {"Accept": "text/event-stream"}}
        with http.stream("POST", url.format(served.port), **request) as answer:
            text = ""
            for piece in answer.iter_text():
                text += piece
                if "event: page_done" in text:
                    break
        wait_until(lambda: served.engine.running == 0)

    deltas = [data["text"] for name, data in events_of(text) if name == "delta"]
    assert "hello" in "".join(deltas)


def test_events_of_a_failed_document_end_with_its_error(client: Client) -> None:
    with client() as http:
        answer = http.post(
            "/api/ocr", files=image("@crash"), headers={"Accept": "text/event-stream"}
        )

    name, data = events_of(answer.text)[-1]
    assert name == "error"
    ErrorAnswer.model_validate(data)
    assert data["error"]["code"] == "engine_crash"


def test_errors_before_the_first_page_are_responses_not_events(client: Client) -> None:
    with client() as http:
        answer = http.post(
            "/api/ocr", files={"image": b"words"}, headers={"Accept": "text/event-stream"}
        )

    assert answer.status_code == 415


def test_an_idle_stream_sends_comments(client: Client) -> None:
    with client(heartbeat_seconds=0.05) as http:
        answer = http.post(
            "/api/ocr", files=image("@slow=0.3"), headers={"Accept": "text/event-stream"}
        )

    assert ": still reading\n\n" in answer.text


@pytest.mark.parametrize("headers", [{}, {"Accept": "text/event-stream"}])
def test_uploads_are_deleted(client: Client, tmp_path: Path, headers: dict[str, str]) -> None:
    with client() as http:
        for files in (IMAGE, image("@crash"), {"image": b"words"}, {"other": b"words"}):
            http.post("/api/ocr", files=files, headers=headers)

        assert [path.name for path in (tmp_path / "runs").iterdir()] == ["jobs"]


TRIED = ["as_asked", "mode_base", "without_grounding", "halves"]


def test_a_page_that_loops_in_every_attempt_is_truncated_and_flagged(client: Client) -> None:
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


def test_a_retry_sends_page_reset_to_the_stream(client: Client) -> None:
    with client() as http:
        answer = http.post(
            "/api/ocr", files=document(["@loop"]), headers={"Accept": "text/event-stream"}
        )

    events = events_of(answer.text)
    assert [name for name, _ in events if name == "page_reset"] != []
    last = max(at for at, (name, _) in enumerate(events) if name == "page_reset")
    text = "".join(data["text"] for name, data in events[last:] if name == "delta")
    blocks = [data["block"] for name, data in events[last:] if name == "block"]
    done = events[-1]
    assert done[0] == "done" and text == done[1]["rawText"]
    assert blocks == done[1]["layout"]["items"]
    assert "kept:as_asked" in done[1]["pages"][0]["flags"]


def test_without_retries_a_page_is_read_once(tmp_path: Path) -> None:
    settings = dataclasses.replace(settings_with(tmp_path / "runs"), retry=False)
    engine = FakeEngine()
    with TestClient(create_app(settings, create_engine=lambda name, config: engine)) as http:
        page = http.post("/api/ocr", files=document(["@loop"])).json()["pages"][0]

    assert (page["finishReason"], page["flags"]) == ("repetition", ["repetition"])
    assert engine.read == ["@loop"]


def test_the_mode_auto_is_answered_with_the_mode_that_was_chosen(client: Client) -> None:
    with client() as http:
        answer = http.post("/api/ocr", files=IMAGE, data={"mode": "auto"}).json()
        modes = http.get("/api/modes").json()
    assert answer["mode"] in modes["modes"]
    assert [page["mode"] for page in answer["pages"]] == [answer["mode"]]
    assert modes["autoMode"]["key"] == "auto" and "auto" not in modes["modes"]
