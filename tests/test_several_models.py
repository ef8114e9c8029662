"""One service on several tiny checkpoints: each model reads its reference's tokens, by its name."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from dsocr.config import ServerConfig, Settings
from dsocr.model_hosts import NamedModel
from dsocr.runtime.config import RuntimeConfig
from dsocr.server.app import create_app
from tests.runtime.goldens import (
    assert_text_is,
    genuine_tokenizer,
    golden_image,
    golden_json,
    write_reading_checkpoint,
    write_unlimited_checkpoint,
)

tokenizers = pytest.importorskip("tokenizers")
pytest.importorskip("torch")

from tests.runtime.ocr2 import golden, write_ocr2_checkpoint  # noqa: E402

NAMES = {"v1": "DeepSeek-OCR", "ocr2": "DeepSeek-OCR-2", "unlimited": "Unlimited-OCR"}
UNLIMITED = golden_json("unlimited/e2e.json")
CASES = {
    "v1": golden_json("tiny/e2e.json")["cases"],
    "ocr2": golden("e2e")["cases"],
    "unlimited": [{**case, "prompt": UNLIMITED["prompt"]} for case in UNLIMITED["cases"]],
}
"""Of each model, by its name in the service."""


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("models")
    folders = {
        "v1": write_reading_checkpoint(folder / "one"),
        "ocr2": write_ocr2_checkpoint(folder / "two"),
        "unlimited": write_unlimited_checkpoint(folder / "three"),
    }
    settings = Settings(
        runs_dir=folder / "runs",
        models=tuple(NamedModel(name, path) for name, path in folders.items()),
        runtime=RuntimeConfig(device="cpu", threads=1),
        server=ServerConfig(start_wait_seconds=120, queue_seconds=120),
    )
    with TestClient(create_app(settings)) as http:
        yield http


def post(http: TestClient, model: str, case: dict[str, Any], **fields: str) -> Any:
    file = golden_image(case["image"])
    data = {"prompt": case["prompt"], "max_tokens": "40", "no_repeat_ngram": "20", **fields}
    if "ngram" in case:
        data |= {"max_tokens": "150", "no_repeat_ngram": f"{case['ngram']}/{case['window']}"}
    return http.post(
        "/api/ocr",
        files={"image": (file.name, file.read_bytes())},
        data={"model": model, "mode": case["mode"], **data},
    )


def small_cases(model: str) -> list[dict[str, Any]]:
    """The two of its cases with the fewest tokens whose picture is a file."""
    found = [
        case
        for case in CASES[model]
        if not case["image"].startswith("xor_") and case["mode"] in ("small", "base")
    ]
    return sorted(found, key=lambda case: case["n_input_ids"])[:2]


def test_each_model_reads_by_its_name_many_pages_at_once(http: TestClient) -> None:
    tokenizer = tokenizers.Tokenizer.from_str(genuine_tokenizer().decode())
    asked = [(model, case) for model in CASES for case in small_cases(model)]
    with ThreadPoolExecutor(len(asked)) as threads:
        answers = list(threads.map(lambda one: post(http, *one), asked))

    for (model, case), answer in zip(asked, answers, strict=True):
        assert answer.status_code == 200, answer.text
        assert_text_is(
            answer.json()["rawText"],
            case.get("hf_no_repeat_20", case),
            lambda ids: tokenizer.decode(ids, skip_special_tokens=False),
        )
        assert answer.json()["model"] == NAMES[model]


def test_the_modes_are_those_of_each_models_weights(http: TestClient) -> None:
    models = {one["name"]: one for one in http.get("/api/modes").json()["models"]}

    assert list(models) == [*NAMES, "ppocr"]
    assert set(models["v1"]["modes"]) == {"tiny", "small", "base", "large", "gundam"}
    assert set(models["ocr2"]["modes"]) == {"small", "base", "gundam"}
    assert set(models["unlimited"]["modes"]) == {"base", "gundam"}
    assert models["ocr2"]["visionTokens"]["gundam"] == [256, 1120]


@pytest.mark.parametrize("mode", ["tiny", "large"])
def test_a_mode_that_a_model_lacks_is_refused_for_it_alone(http: TestClient, mode: str) -> None:
    case = small_cases("ocr2")[0]
    refused = post(http, "ocr2", {**case, "mode": mode})

    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "unsupported_mode")
    assert "small" in refused.json()["error"]["message"]
