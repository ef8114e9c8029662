from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pypdfium2 as pdfium
import pytest
import pytest_asyncio
from PIL import Image

from dsocr.errors import BadPdf, BadRequest, DsocrError, PasswordRequired
from dsocr.pages import sandbox as sandbox_module
from dsocr.pages.config import PagesConfig
from dsocr.pages.sandbox import Sandbox
from dsocr.pages.source import open_document
from dsocr.process import shared_memory
from dsocr.process.shared_memory import CAN_SHARE, SharedBlock
from tests.fakes import png
from tests.pages import made
from tests.pages.faulty_decoders import INVALID, SCRIPTED
from tests.pages.test_sandbox import children

NASTY = Path(__file__).parents[1] / "data" / "nasty"
ENTRIES = [json.loads(line) for line in (NASTY / "manifest.jsonl").read_text().splitlines()]


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """One for each test: they look at its children."""
    async with Sandbox(PagesConfig(workers=1)) as sandbox:
        yield sandbox


@pytest.mark.parametrize("name", ["sound", "broken JSON", *INVALID])
async def test_an_invalid_response_kills_the_child_and_fails_its_file(
    tmp_path: Path, sandbox: Sandbox, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_module, "DECODER", SCRIPTED)
    (tmp_path / name).write_bytes(made.pdf())
    source = await open_document(tmp_path / name, name="s", sandbox=sandbox)
    if name == "sound":
        assert (await source.render_page(0)).width == 2
        return
    with pytest.raises(BadPdf):
        await source.render_page(0)
    assert children() == set()


@pytest.mark.parametrize("shared", [True, False])
async def test_a_page_has_the_same_pixels_in_shared_memory_and_through_the_socket(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    monkeypatch.setattr(shared_memory, "has_room", lambda: shared and CAN_SHARE)
    files = {"p.pdf": made.pdf(made.words("dark", 72, 600)), "p.png": png(["words"])}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        source = await open_document(tmp_path / name, name=name, sandbox=sandbox)
        page = await source.render_page(0)
        assert isinstance(page.rgb(), SharedBlock if shared and CAN_SHARE else bytearray)
        with open_here(tmp_path / name) as image:
            assert page.image.tobytes() == image.tobytes()


@contextmanager
def open_here(path: Path) -> Iterator[Image.Image]:
    """The first page as the decoders' libraries make it."""
    if path.suffix != ".pdf":
        with Image.open(path) as image:
            yield image.convert("RGB")
        return
    with pdfium.PdfDocument(path) as document:
        yield document[0].render(scale=2, rev_byteorder=True).to_pil()


async def test_more_bytes_than_a_page_may_have_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_module, "DECODER", SCRIPTED)
    (tmp_path / "sound").write_bytes(made.pdf())
    async with Sandbox(PagesConfig(workers=1, max_pixels=1)) as sandbox:
        source = await open_document(tmp_path / "sound", name="s", sandbox=sandbox)
        with pytest.raises(BadPdf):
            await source.render_page(0)


async def test_a_file_that_changed_or_is_gone_is_reported(tmp_path: Path, sandbox: Sandbox) -> None:
    path = tmp_path / "document.pdf"
    path.write_bytes(made.pdf(made.words("first", 72, 600), pages=2))
    source = await open_document(path, name="d", sandbox=sandbox)
    assert (await source.render_page(0)).text_lines
    path.write_bytes(made.pdf(made.words("a second", 72, 600), pages=2))
    with pytest.raises(BadRequest, match="changed"):
        await source.render_page(1)
    path.unlink()
    with pytest.raises(BadRequest, match="No such file"):
        await source.render_page(1)


async def test_a_later_file_of_the_same_name_is_opened_again(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    path = tmp_path / "document.pdf"
    for text in ("first", "a second"):
        path.write_bytes(made.pdf(made.words(text, 72, 600)))
        source = await open_document(path, name="d", sandbox=sandbox)  # and never closed
        assert [line.text for line in (await source.render_page(0)).text_lines or ()] == [text]


async def test_a_password_is_neither_logged_nor_shown(
    tmp_path: Path, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "locked.pdf"
    path.write_bytes(made.locked_pdf("open sesame"))
    with caplog.at_level(logging.DEBUG):
        with pytest.raises(PasswordRequired) as raised:
            await open_document(path, name="l", sandbox=sandbox, password="close sesame")
        source = await open_document(path, name="l", sandbox=sandbox, password="open sesame")
        await source.render_page(0)
    assert "sesame" not in caplog.text + repr(source) + str(raised.value)


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["file"] for entry in ENTRIES])
async def test_a_hostile_file_is_rendered_or_refused_with_a_message(
    sandbox: Sandbox, entry: dict[str, str]
) -> None:
    pages, refused = 0, None
    try:
        source = await open_document(NASTY / entry["file"], name="n", sandbox=sandbox)
        for index in range(source.num_pages):
            await source.render_page(index)
            pages += 1
    except DsocrError as error:
        refused = error
    if entry["expect"] == "ok":
        assert refused is None and pages
    if entry["expect"] == "reject":
        assert refused
    if refused:
        assert refused.code != "internal" and refused.message
