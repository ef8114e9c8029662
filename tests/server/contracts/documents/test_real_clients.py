"""The real clients read a document through a running service. They are installed by the test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import pdf
from tests.server.conftest import Serve

pytestmark = pytest.mark.slow

CLIENTS = Path(__file__).parents[3] / "clients"
PACKAGES = (
    "azure-ai-documentintelligence==1.0.2",
    "tika==3.3.2",
    "docling-client==2.143.0",
)
KEY = "secret"
INSTALL_SECONDS, READ_SECONDS = 900, 120
WORDS = ["Heading", "one", "body", "text", "page", "two"]
Read = Callable[..., Any]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new virtual environment with the clients."""
    folder = tmp_path_factory.mktemp("clients")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=INSTALL_SECONDS)
    interpreter = folder / "bin" / "python"
    command = [str(interpreter), "-m", "pip", "install", "--quiet", *PACKAGES]
    subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
    return interpreter


@pytest.fixture
def read(python: Path, serve: Serve, tmp_path: Path) -> Read:
    """`read("tika")` is what `tests/clients/read_with_tika.py` prints."""
    document = tmp_path / "a.pdf"
    document.write_bytes(pdf([["Heading one", "body text"], ["page two"]]))

    def run(client: str) -> Any:
        with serve(api_keys=(KEY,)) as served:
            script = str(CLIENTS / f"read_with_{client}.py")
            url = f"http://127.0.0.1:{served.port}"
            command = [str(python), script, url, str(document), KEY]
            done = subprocess.run(command, capture_output=True, text=True, timeout=READ_SECONDS)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_tika_package_reads_a_document(read: Read) -> None:
    found = read("tika")
    assert found["text"].split() == found["plain"].split() == WORDS
    assert found["pages"] == "2"


def test_azure_sdk_reads_a_document_and_gets_its_searchable_pdf(read: Read) -> None:
    found = read("azure")
    assert found["text"].split() == found["words"] == WORDS
    assert found["pdf"] == "%PDF"


def test_docling_client_converts_and_chunks_a_document(read: Read) -> None:
    found = read("docling")
    assert found["text"].split() == WORDS
    assert " ".join(found["chunks"]).split() == WORDS
    assert found["health"] == "ok"
