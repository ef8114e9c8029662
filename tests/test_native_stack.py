"""The whole stack on the tiny checkpoint: an image is posted, the reference tokens' text comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dsocr.config import ServerConfig, Settings
from dsocr.runtime.config import RuntimeConfig
from dsocr.server.app import create_app
from tests.runtime.goldens import (
    assert_text_is,
    genuine_tokenizer,
    golden_image,
    golden_json,
    write_reading_checkpoint,
)

tokenizers = pytest.importorskip("tokenizers")
pytest.importorskip("torch")

CASES = golden_json("tiny/e2e.json")["cases"]
GUARDS = {"hf_no_repeat_20": "20", "window_3_12": "3/12"}


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service that was told where the weights are, and nothing else."""
    folder = tmp_path_factory.mktemp("native")
    settings = Settings(
        runs_dir=folder / "runs",
        runtime=RuntimeConfig(model_path=write_reading_checkpoint(folder / "model"), device="cpu"),
        server=ServerConfig(start_wait_seconds=120, queue_seconds=120),
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OMP_NUM_THREADS", "1")  # more only get in each other's way
        with TestClient(create_app(settings)) as http:
            yield http


@pytest.fixture(scope="module")
def decode() -> Any:
    tokenizer = tokenizers.Tokenizer.from_str(genuine_tokenizer().decode())
    return lambda ids: tokenizer.decode(ids, skip_special_tokens=False)


def post(http: TestClient, case: dict[str, Any], guard: str, **headers: str) -> Any:
    file: Path = golden_image(case["image"])
    return http.post(
        "/api/ocr",
        files={"image": (file.name, file.read_bytes())},
        data={
            "mode": case["mode"],
            "prompt": case["prompt"],
            "max_tokens": "40",
            "no_repeat_ngram": guard,
        },
        headers=headers,
    )


@pytest.mark.parametrize(
    "guard", ["hf_no_repeat_20", pytest.param("window_3_12", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['image'][:3]}-{case['mode']}")
def test_a_posted_image_comes_back_as_the_reference_tokens_text(
    http: TestClient, decode: Any, case: dict[str, Any], guard: str
) -> None:
    response = post(http, case, GUARDS[guard])

    assert response.status_code == 200, response.text
    answer = response.json()
    assert_text_is(answer["rawText"], case[guard], decode)
    assert answer["engine"] == "native" and answer["mode"] == case["mode"]


def test_all_modes_are_among_them() -> None:
    assert {case["mode"] for case in CASES} == {"tiny", "small", "base", "large", "gundam"}


def test_the_stream_of_events_adds_up_to_the_same_text(http: TestClient, decode: Any) -> None:
    case = next(case for case in CASES if case["mode"] == "small")
    response = post(http, case, "20", Accept="text/event-stream")

    names, pieces, done = [], [], None
    for event in response.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in event.splitlines() if ": " in line)
        if "event" not in lines:
            continue
        names.append(lines["event"])
        if names[-1] == "delta":
            pieces.append(json.loads(lines["data"])["text"])
        elif names[-1] == "done":
            done = json.loads(lines["data"])

    # the number of pieces depends on the machine's speed, their order does not
    first, last = names.index("delta"), len(names) - 1 - names[::-1].index("delta")
    assert names[0] == "page" and first > 0
    assert names.index("page_done") > last and names[-1] == "done"
    assert done is not None and "".join(pieces) == done["rawText"]
    assert_text_is(done["rawText"], case["hf_no_repeat_20"], decode)


def test_health_and_modes_know_the_engine(http: TestClient) -> None:
    health = http.get("/health").json()
    assert health["modelLoaded"] is True
    assert "native" in json.dumps(health) and "flash_attention_2" in json.dumps(health)

    engines = {engine["key"]: engine for engine in http.get("/api/modes").json()["engines"]}
    assert engines["native"]["state"] == "ready"


def test_what_cannot_fit_is_the_callers_mistake_with_the_numbers(http: TestClient) -> None:
    case = CASES[0]
    response = post(http, {**case, "prompt": "word, " * 3300}, "20")
    again = post(http, {**case, "prompt": "w,1" * 6000}, "20")

    assert again.status_code in (400, 422), again.text
    assert "8192" in again.json()["error"]["message"]
    assert response.status_code == 200 or "8192" in response.json()["error"]["message"]
