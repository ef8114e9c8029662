"""The original contract, sentence by sentence, on the engine that comes with the package.

Each test's docstring is what was promised.
"""

from __future__ import annotations

import importlib.util
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from dsocr.config import Settings
from dsocr.server.app import create_app
from tests.fakes import pdf
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]
BACKEND = ROOT / "web_project" / "backend"
SCAN = (ROOT / "tests" / "data" / "pages" / "phototest.tif").read_bytes()
NASTY = ROOT / "tests" / "data" / "nasty"
DEFAULT_PROMPT = "<image>\n<|grounding|>Convert the document to markdown."
SEVEN_KEYS = {"mode", "prompt", "text", "rawText", "durationMs", "fileName", "fileSize"}
BESIDE_THEM = {"engine", "model", "layout", "pages", "requestId"}
PAGE_KEYS = ["pageIndex", "text", "rawText", "layout", "lines", "durationMs", "finishReason"]
PAGE_KEYS += ["flags", "reviewShare", "usage", "error", "mode"]


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One service for all of these, as `uvicorn app:app` makes it."""
    runs_dir = tmp_path_factory.mktemp("contract") / "runs"
    environment = {"DEEPSEEK_OCR_ENGINE": "ppocr", "DEEPSEEK_OCR_RUNS_DIR": str(runs_dir)}
    with TestClient(create_app(Settings.from_environment(environment))) as client:
        wait_until(lambda: client.get("/ready").status_code == 200)
        yield client


def read(http: TestClient, content: bytes, name: str, **fields: str) -> dict[str, Any]:
    answer = http.post("/api/ocr", files={"image": (name, content)}, data=fields)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture(scope="module")
def scan(http: TestClient) -> dict[str, Any]:
    return read(http, SCAN, "math.tif")


def test_the_backend_folder_has_the_app_and_its_requirements() -> None:
    """`pip install -r requirements.txt`, `uvicorn app:app` in web_project/backend."""
    spec = importlib.util.spec_from_file_location("backend_app", BACKEND / "app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    assert {"/health", "/api/modes", "/api/ocr"} <= set(module.app.openapi()["paths"])


def test_torch_is_left_to_the_user() -> None:
    """`torch` is not pinned by `requirements.txt`: users pick their CUDA build themselves."""
    lines = (BACKEND / "requirements.txt").read_text().splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]

    assert "-e ../.." in wanted
    assert not [line for line in wanted if re.match(r"torch\b", line)]


def test_health(http: TestClient) -> None:
    """Quick status check. Keys kept: `status`, `modelLoaded`, `modes`."""
    body = http.get("/health").json()

    assert body["status"] == "ok"
    assert body["modelLoaded"] is True
    assert body["modes"] == ["gundam", "base", "small", "tiny", "large"]


def test_modes(http: TestClient) -> None:
    """`{"defaultPrompt": str, "modes": {…}, "maxImageMb": number}`."""
    body = http.get("/api/modes").json()

    assert body["defaultPrompt"] == DEFAULT_PROMPT
    assert body["maxImageMb"] == 15
    numbers = ("base_size", "image_size", "crop_mode")
    assert {key: tuple(mode[n] for n in numbers) for key, mode in body["modes"].items()} == {
        "gundam": (1024, 640, True),
        "base": (1024, 1024, False),
        "small": (640, 640, False),
        "tiny": (512, 512, False),
        "large": (1280, 1280, False),
    }
    words = {"label", "description", "test_compress", "speed", "quality", *numbers}
    assert all(set(mode) == words for mode in body["modes"].values())


def test_the_seven_keys(scan: dict[str, Any]) -> None:
    """The answer's seven keys; more stand beside them and never replace them."""
    assert set(scan) == SEVEN_KEYS | BESIDE_THEM
    assert scan["mode"] == "gundam"
    assert scan["prompt"] == DEFAULT_PROMPT
    assert scan["fileName"] == "math.tif"
    assert scan["fileSize"] == len(SCAN)
    assert isinstance(scan["durationMs"], float) and scan["durationMs"] > 0


def test_text_is_for_people(scan: dict[str, Any]) -> None:
    """`text`: clean markdown, no special tokens, no `<|ref|>`/`<|det|>` markup."""
    assert "quick brown dog" in scan["text"]
    assert "<|" not in scan["text"] and "|>" not in scan["text"]


def test_raw_text_is_the_models_output(scan: dict[str, Any]) -> None:
    """`rawText` is the model's output as it came."""
    assert re.search(
        r"<\|ref\|>\w+<\|/ref\|><\|det\|>\[\[\d+(, \d+){3}\]\]<\|/det\|>", scan["rawText"]
    )


def test_layout_has_pixels_and_fractions(scan: dict[str, Any]) -> None:
    """`boxes: [{index, absolute in pixels of the upright page, normalized: 0-1}]`."""
    layout = scan["layout"]
    assert (layout["width"], layout["height"]) == (640, 480)
    assert layout["items"]
    for item in layout["items"]:
        assert set(item) == {"id", "label", "text", "confidence", "boxes", "score", "review"}
        assert 0 <= item["confidence"] <= 1
        for index, box in enumerate(item["boxes"]):
            assert box["index"] == index
            x0, y0, x1, y1 = box["normalized"]
            assert 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1
            for pixels, share, side in zip(
                box["absolute"], box["normalized"], (640, 480) * 2, strict=True
            ):
                assert abs(pixels - share * side) <= 1


def test_pages_stand_beside_them(scan: dict[str, Any]) -> None:
    """`pages`, and the layout of the only page is the document's."""
    (page,) = scan["pages"]

    assert list(page) == PAGE_KEYS
    assert (page["pageIndex"], page["finishReason"], page["error"]) == (0, "stop", None)
    assert page["layout"] == scan["layout"]
    assert (page["text"], page["rawText"]) == (scan["text"], scan["rawText"])


def test_a_prompt_without_its_image_gets_it(http: TestClient) -> None:
    """A prompt without `<image>` gets `<image>\\n` put before it."""
    body = read(http, SCAN, "a.tif", mode="tiny", prompt="Free OCR.")

    assert (body["mode"], body["prompt"]) == ("tiny", "<image>\nFree OCR.")
    assert "<|ref|>" not in body["rawText"]


def test_a_pdf_is_read_page_by_page(http: TestClient) -> None:
    """`text` joins the pages with a page break."""
    body = read(http, pdf([["The first page"], ["The second page"]]), "two.pdf")

    assert [page["pageIndex"] for page in body["pages"]] == [0, 1]
    assert "first page" in body["pages"][0]["text"]
    assert body["text"] == "\n\n---\n\n".join(page["text"] for page in body["pages"])


def test_a_multi_page_tiff_is_read_page_by_page(http: TestClient) -> None:
    scan = Image.open(io.BytesIO(SCAN))
    tiff = io.BytesIO()
    scan.save(tiff, "TIFF", save_all=True, append_images=[scan.rotate(180)])
    body = read(http, tiff.getvalue(), "scan.tiff", mode="tiny")

    assert [page["pageIndex"] for page in body["pages"]] == [0, 1]
    assert all("brown dog" in page["text"] for page in body["pages"])


def test_the_guardrail_holds(http: TestClient) -> None:
    """`DEEPSEEK_MAX_IMAGE_MB`: upload guardrail, also returned to the frontend."""
    answer = http.post("/api/ocr", files={"image": ("big.png", bytes((15 << 20) + 1))})

    assert answer.status_code == 413
    assert "15 MiB" in answer.json()["detail"]


def nasty_files() -> list[Any]:
    lines = (NASTY / "manifest.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    return [pytest.param(entry, id=entry["file"][:40]) for entry in entries]


@pytest.mark.parametrize("entry", nasty_files())
def test_a_nasty_file_gets_its_answer_and_the_service_goes_on(
    http: TestClient, entry: dict[str, Any]
) -> None:
    content = (NASTY / entry["file"]).read_bytes()
    file = {"image": (entry["file"], content)}
    answer = http.post("/api/ocr", files=file, data={"mode": "tiny", "pages": "1"})

    allowed = {"ok": {200}, "reject": {413, 415, 422}, "any": {200, 413, 415, 422}}
    assert answer.status_code in allowed[entry["expect"]], answer.text
    assert "Traceback" not in answer.text and str(ROOT) not in answer.text
    assert http.get("/ready").status_code == 200
