"""The real clients, in environments of their own, against one service with the embedded engine.

Every one of them reads the same photo and the same PDF, and gets the words of `/api/ocr`. Each is
tried in its newest version and in an older one. A failed installation fails the tests that need it.
`./test.sh --slow` runs this file by itself, in one process, so that all of them have one service.
"""

from __future__ import annotations

import asyncio
import base64
import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from mcp.client.client import Client as McpClient
from mcp.client.streamable_http import streamable_http_client

from dsocr.client import AsyncClient, Client
from dsocr.server.app import create_app
from tests.environments import INSTALL_SECONDS, new_environment
from tests.served import listening
from tests.server.conftest import settings_with

pytestmark = pytest.mark.slow

CLIENTS = Path(__file__).parent / "clients"
SAMPLES = Path(__file__).parents[2] / "data" / "samples"
PHOTO, PDF = SAMPLES / "sroie_018.jpg", SAMPLES / "edgar.pdf"
KEY = "secret"
READ_SECONDS = 900.0
ROOT = Path(__file__).parents[3]
JS_CLIENT = ROOT / "clients" / "js"

ENVIRONMENTS = {
    "newest": (
        "openai",
        "mistralai",
        "langchain-openai",
        "langchain-mistralai",
        "azure-ai-documentintelligence",
        "tika",
        "docling-client",
        "liteparse",
        "requests",
    ),
    "older": (
        "openai==1.109.1",
        "mistralai==1.9.11",
        "langchain-openai==1.0.0",
        "langchain-mistralai==1.0.0",
        "azure-ai-documentintelligence==1.0.0",
        "tika==3.1.0",
        "liteparse==2.8.1",
        "docling-client==2.126.0",
    ),
    "newest litellm": ("litellm",),
    "older litellm": ("litellm==1.80.0",),
    "newest websockets": ("websockets",),
    "older websockets": ("websockets==15.0.1",),
    "langchain docling": ("langchain-docling>=3",),
    "ocrmypdf": ("ocrmypdf>=17", "-e", ROOT, "-e", ROOT / "plugins" / "ocrmypdf"),
}
"""Packages that limit the versions of others have an environment of their own."""
BOTH = pytest.mark.parametrize("environment", ["newest", "older"])
Run = Callable[[str, str], Any]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service with the embedded engine."""
    settings = settings_with(tmp_path_factory.mktemp("runs"), api_keys=(KEY,))
    with listening(create_app(settings), settings.server) as port:
        yield f"http://127.0.0.1:{port}"


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


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`programs("older")` is the folder of that environment's programs."""
    folders: dict[str, Path] = {}

    def made(environment: str) -> Path:
        if environment not in folders:
            folder = tmp_path_factory.mktemp("environment")
            folders[environment] = new_environment(folder, ENVIRONMENTS[environment])
        return folders[environment]

    return made


@pytest.fixture(scope="module")
def run(base: str, programs: Callable[[str], Path]) -> Run:
    """`run("openai", "older")` is what `clients/openai_client.py` prints in that environment."""

    def output(client: str, environment: str) -> Any:
        python, script = programs(environment) / "python", CLIENTS / f"{client}_client.py"
        found = json.loads(printed(python, script, base, KEY, PHOTO, PDF))
        print(client, found["version"])
        return found

    return output


def printed(*command: str | Path, **environment: str) -> str:
    """The standard output of a program, which must succeed."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=READ_SECONDS,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def words(text: str) -> list[str]:
    """The words of markdown, HTML or plain text, without marks of their form."""
    return re.findall(r"\w+", html.unescape(re.sub(r"<[^>]*>", " ", text)))


def share_of(expected: str, found: str) -> float:
    """The share of the expected words that were found, wherever they are."""
    wanted, given = Counter(words(expected)), Counter(words(found))
    return (wanted & given).total() / wanted.total()


@BOTH
def test_openai_package(run: Run, environment: str, expected: Any) -> None:
    found = run("openai", environment)
    pdf = expected["pdf"]["text"]
    assert found["models"][0] == "deepseek-ocr"
    assert found["photo"]["text"] == found["response"]["text"] == expected["photo"]
    assert found["pdf"]["text"] == found["stream"]["text"] == pdf
    assert found["response stream"] == {"text": pdf, "deltas": pdf}
    assert found["errors"] == {"url": [422, "invalid_field"], "key": [401, "unauthorized"]}


@BOTH
def test_mistralai_package(run: Run, environment: str, expected: Any) -> None:
    found = run("mistral", environment)
    pages = [[page["pageIndex"], page["text"]] for page in expected["pdf"]["pages"]]
    assert found["photo"]["pages"] == [[0, expected["photo"]]]
    assert [index for index, _ in found["pdf"]["pages"]] == [0]
    assert words(found["pdf"]["pages"][0][1]) == words(pages[0][1])
    assert found["file"]["by link"]["pages"] == found["file"]["by id"]["pages"]
    assert [index for index, _ in found["file"]["by id"]["pages"]] == [n for n, _ in pages]
    assert found["file"]["deleted"] is True
    assert found["errors"]["annotation"] == ["HTTPValidationError", 422]


@pytest.mark.parametrize("environment", ["newest litellm", "older litellm"])
def test_litellm_package(run: Run, environment: str, expected: Any) -> None:
    found = run("litellm", environment)
    assert found["photo"] == expected["photo"]
    assert found["stream"] == expected["pdf"]["text"]
    assert len(found["ocr"]) == len(expected["pdf"]["pages"])


@BOTH
@pytest.mark.parametrize("client", ["langchain", "langchain_mistral"])
def test_langchain_packages(run: Run, client: str, environment: str, expected: Any) -> None:
    found = run(client, environment)
    assert found["photo"] == expected["photo"]
    assert found["pdf"] == found["stream"] == expected["pdf"]["text"]


@BOTH
def test_tika_package(run: Run, environment: str, expected: Any) -> None:
    found = run("tika", environment)
    for name, text in (("photo", expected["photo"]), ("pdf", expected["pdf"]["text"])):
        assert words(found[name]["text"]) == words(found[name]["plain"]) == words(text)
        assert found[name]["pages"] == "1"


@BOTH
def test_azure_sdk_as_paperless_calls_it(run: Run, environment: str, expected: Any) -> None:
    found = run("azure", environment)
    for name, text in (("photo", expected["photo"]), ("pdf", expected["pdf"]["text"])):
        assert found[name]["text"].split() == found[name]["words"]
        assert Counter(words(found[name]["text"])) == Counter(words(text))
        assert found[name]["searchable"] == "%PDF"


@BOTH
def test_docling_client(run: Run, environment: str, expected: Any) -> None:
    found = run("docling", environment)
    assert found["health"] == "ok"
    for name, text in (("photo", expected["photo"]), ("pdf", expected["pdf"]["text"])):
        assert Counter(words(" ".join(found[name]))) == Counter(words(text))
    assert share_of(" ".join(found["chunks"]), expected["pdf"]["text"]) == 1.0


def test_langchain_docling_package(run: Run, expected: Any) -> None:
    """Its version 3 is the first that takes docling's client; the loader writes the markdown."""
    found = run("langchain_docling", "langchain docling")
    for name, text in (("photo", expected["photo"]), ("pdf", expected["pdf"]["text"])):
        assert share_of(text, found[name]) > 0.95


@pytest.mark.parametrize("environment", ["newest websockets", "older websockets"])
def test_websockets_package_with_doclings_tasks(run: Run, environment: str, expected: Any) -> None:
    found = run("socket", environment)
    assert found["photo state"] == found["pdf state"] == "success"
    assert words(found["photo"]) == words(expected["photo"])
    assert words(found["pdf"]) == words(expected["pdf"]["text"])
    assert found["without a key"] == 403


@BOTH
def test_liteparse_package(run: Run, environment: str, expected: Any) -> None:
    """It draws the pages itself, and takes the text layer of the PDF before recognized words."""
    found = run("liteparse", environment)
    assert share_of(expected["photo"], found["photo"]) > 0.95
    assert share_of(expected["pdf"]["text"], found["pdf"]) > 0.95


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
@pytest.mark.parametrize("version", ["latest", "2.9.0"])
def test_liteparse_command_of_npm(
    version: str, base: str, tmp_path: Path, expected: dict[str, Any]
) -> None:
    """As the Python package, which has the same code inside."""
    package = f"@llamaindex/liteparse@{version}"
    install = ["npm", "install", "--prefix", tmp_path, "--no-audit", "--no-fund", package]
    subprocess.run(install, check=True, timeout=INSTALL_SECONDS)
    lit = tmp_path / "node_modules" / ".bin" / "lit"
    installed = tmp_path / "node_modules" / "@llamaindex" / "liteparse" / "package.json"
    print("lit", json.loads(installed.read_text())["version"])
    server = ["--ocr-server-url", f"{base}/ocr", "--ocr-server-header", f"X-Api-Key: {KEY}"]
    for path, text in ((PHOTO, expected["photo"]), (PDF, expected["pdf"]["text"])):
        assert share_of(text, printed(lit, "parse", "--quiet", path, *server)) > 0.95


@pytest.mark.parametrize("client", ["open_webui", "n8n"])
def test_request_code_of_programs_that_are_no_library(run: Run, client: str, expected: Any) -> None:
    found = run(client, "newest")
    found.pop("version")
    for read in found.values():
        assert words(read["photo"]) == words(expected["photo"])
        assert Counter(words(read["pdf"])) == Counter(words(expected["pdf"]["text"]))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="OCRmyPDF 17 needs Python 3.11")
@pytest.mark.skipif(shutil.which("tesseract") is None, reason="OCRmyPDF needs tesseract")
def test_ocrmypdf_with_the_plugin(
    programs: Callable[[str], Path], base: str, tmp_path: Path, expected: Any
) -> None:
    """It draws the pages itself, those of the PDF without their text."""
    program = programs("ocrmypdf") / "ocrmypdf"
    print("ocrmypdf", printed(program, "--version").strip())
    options = ["--image-dpi", "150", "--force-ocr", "--output-type", "pdf", "--dsocr-url", base]
    for path, text in ((PHOTO, expected["photo"]), (PDF, expected["pdf"]["text"])):
        sidecar = tmp_path / f"{path.stem}.txt"
        out = tmp_path / f"{path.stem}.pdf"
        printed(program, *options, "--sidecar", sidecar, path, out, DSOCR_KEY=KEY)
        assert share_of(text, sidecar.read_text()) > 0.9


def test_own_clients_of_python(base: str, expected: Any) -> None:
    async def read() -> list[str]:
        async with AsyncClient(base, KEY) as client:
            return [(await client.read(path)).text for path in (PHOTO, PDF)]

    texts = [expected["photo"], expected["pdf"]["text"]]
    with Client(base, KEY) as client:
        assert [client.read(path).text for path in (PHOTO, PDF)] == texts
    assert asyncio.run(read()) == texts


def test_own_command_reads_with_the_service(base: str, expected: Any) -> None:
    for path, text in ((PHOTO, expected["photo"]), (PDF, expected["pdf"]["text"])):
        command = [sys.executable, "-m", "dsocr", "read", path, "--url", base]
        assert words(printed(*command, DSOCR_KEY=KEY)) == words(text)


@pytest.mark.skipif(
    shutil.which("node") is None or not (JS_CLIENT / "dist" / "index.js").is_file(),
    reason="needs node, and the built client: npm ci && npm run build in clients/js",
)
def test_own_client_of_javascript(base: str, expected: Any) -> None:
    script = JS_CLIENT / "test" / "node-client.mjs"
    for path, text in ((PHOTO, expected["photo"]), (PDF, expected["pdf"]["text"])):
        found = json.loads(printed("node", script, base, KEY, path))["text"]
        assert share_of(text, found) > 0.95  # it asks for another mode


async def test_client_of_the_mcp_sdk(base: str, expected: Any) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(headers=headers, timeout=READ_SECONDS) as http:
        transport = streamable_http_client(f"{base}/mcp", http_client=http)
        async with McpClient(transport) as client:
            for path, text in ((PHOTO, expected["photo"]), (PDF, expected["pdf"]["text"])):
                source = f"data:;base64,{base64.b64encode(path.read_bytes()).decode()}"
                arguments = {"source": source, "wait_seconds": 600}
                result = await client.call_tool("read_document", arguments)
                assert not result.is_error, result.content
                [page] = result.structured_content["pages"]
                assert words(page["text"]) == words(text)
