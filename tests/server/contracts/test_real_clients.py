"""The real clients, each in an environment of its own, against the embedded engine.

Every one of them reads the same photo and the same PDF, and gets the words of `/api/ocr`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import uvicorn

from dsocr.server.app import create_app
from dsocr.server.serve import uvicorn_config
from tests.server.conftest import settings_with
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

CLIENTS = Path(__file__).parent / "clients"
SAMPLES = Path(__file__).parents[2] / "data" / "samples"
PHOTO, PDF = SAMPLES / "sroie_018.jpg", SAMPLES / "edgar.pdf"
KEY = "secret"
READ_SECONDS = 300.0


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service with the embedded engine."""
    settings = settings_with(tmp_path_factory.mktemp("runs"), api_keys=(KEY,))
    app = create_app(settings)
    server = uvicorn.Server(uvicorn_config(app, settings.server, host="127.0.0.1", port=0))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        wait_until(lambda: app.state.service.host.state == "ready")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def expected(base: str) -> dict[str, Any]:
    """What the own API says of the photo and of the PDF."""
    return {"photo": own_answer(base, PHOTO)["text"], "pdf": own_answer(base, PDF)}


def own_answer(base: str, path: Path) -> Any:
    answer = httpx.post(
        f"{base}/api/ocr",
        files={"image": (path.name, path.read_bytes())},
        headers={"X-Api-Key": KEY},
        timeout=READ_SECONDS,
    )
    return answer.json()


def run_client(folder: Path, package: str, program: str, base: str) -> Any:
    """The output of a program in a new environment that has the package."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", package], check=True)
    done = subprocess.run(
        [python, CLIENTS / program, base, KEY, PHOTO, PDF],
        check=True,
        stdout=subprocess.PIPE,
        timeout=READ_SECONDS,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("package", ["openai", "openai==1.109.1"])
def test_openai_package(tmp_path: Path, package: str, base: str, expected: Any) -> None:
    found = run_client(tmp_path / "venv", package, "openai_client.py", base)
    pdf = expected["pdf"]["text"]
    assert found["models"][0] == "deepseek-ocr"
    assert found["image"]["text"] == found["response"]["text"] == expected["photo"]
    assert found["pdf"]["text"] == found["stream"]["text"] == pdf
    assert found["response stream"] == {"text": pdf, "deltas": pdf}
    assert found["errors"] == {"url": [422, "invalid_field"], "key": [401, "unauthorized"]}


@pytest.mark.parametrize("package", ["mistralai", "mistralai==1.9.11"])
def test_mistralai_package(tmp_path: Path, package: str, base: str, expected: Any) -> None:
    found = run_client(tmp_path / "venv", package, "mistral_client.py", base)
    pages = [[page["pageIndex"], page["text"]] for page in expected["pdf"]["pages"]]
    assert found["image"]["pages"] == [[0, expected["photo"]]]
    assert [index for index, _ in found["pages"]["pages"]] == [0]
    assert found["file"]["by link"]["pages"] == found["file"]["by id"]["pages"]
    assert [index for index, _ in found["file"]["by id"]["pages"]] == [n for n, _ in pages]
    assert found["file"]["deleted"] is True
    assert found["errors"]["annotation"] == ["HTTPValidationError", 422]


@pytest.mark.parametrize("package", ["litellm", "litellm==1.80.0"])
def test_litellm_package(tmp_path: Path, package: str, base: str, expected: Any) -> None:
    found = run_client(tmp_path / "venv", package, "litellm_client.py", base)
    assert found["image"] == expected["photo"]
    assert found["stream"] == expected["pdf"]["text"]
    assert len(found["ocr"]) == len(expected["pdf"]["pages"])


@pytest.mark.parametrize("package", ["langchain-openai", "langchain-openai==1.0.0"])
def test_langchain_package(tmp_path: Path, package: str, base: str, expected: Any) -> None:
    found = run_client(tmp_path / "venv", package, "langchain_client.py", base)
    assert found["image"] == expected["photo"]
    assert found["pdf"] == found["stream"] == expected["pdf"]["text"]
