"""The service with weights of a second family: modes, sizes and the name are the family's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dsocr.config import ServerConfig, Settings
from dsocr.engines.deepseek.native import NativeEngine
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.models.registry import FAMILIES
from dsocr.server.app import create_app
from tests.engines import other_family
from tests.runtime.goldens import golden_image
from tests.waiting import wait_until

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("other")
    settings = Settings(
        engine="native",
        runs_dir=folder / "runs",
        runtime=RuntimeConfig(
            model_path=other_family.write_checkpoint(folder / "model"), device="cpu"
        ),
        server=ServerConfig(start_wait_seconds=120, queue_seconds=120),
    )

    def create_engine(name: str, config: Any) -> NativeEngine:
        return NativeEngine(config, worker=other_family.WORKER)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")  # more threads only slow each other down
        patch.setitem(FAMILIES, other_family.ARCHITECTURE, other_family.FAMILY)
        with TestClient(create_app(settings, create_engine=create_engine)) as http:
            wait_until(lambda: http.get("/ready").status_code == 200, seconds=120)
            yield http


def post(http: TestClient, file: Path, **fields: str) -> Any:
    files = {"image": (file.name, file.read_bytes())}
    return http.post("/api/ocr", files=files, data={"max_tokens": "5", **fields})


def test_modes_and_vision_tokens_are_those_of_the_loaded_family(http: TestClient) -> None:
    body = http.get("/api/modes").json()

    sizes = {key: (mode["base_size"], mode["image_size"]) for key, mode in body["modes"].items()}
    assert sizes == {"gundam": (512, 320), "base": (512, 512)}
    assert body["visionTokens"] == {"gundam": [64, 64 + 4 * 25], "base": [64]}
    assert "up to four 320 px tiles" in body["modes"]["gundam"]["description"]
    health = http.get("/health").json()
    assert health["modes"] == ["gundam", "base"]
    assert health["engine"]["model"] == "Other-OCR"


def test_a_page_is_read_in_the_family_s_modes_and_others_are_refused(http: TestClient) -> None:
    file = golden_image("a13_exif6_1200x800.jpg")

    answer = post(http, file)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["model"], answer.json()["mode"]) == ("Other-OCR", "gundam")

    refused = post(http, file, mode="small")
    assert refused.status_code == 422 and "gundam, base" in refused.json()["error"]["message"]
