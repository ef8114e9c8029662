from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from dsocr.errors import BadImage, BadPdf, EngineUnavailable, PageTimeout
from dsocr.pages import sandbox as sandbox_module
from dsocr.pages.config import PagesConfig
from dsocr.pages.sandbox import Sandbox
from dsocr.pages.source import DocumentFile, open_document
from dsocr.process.child import Channel
from tests.pages import made
from tests.pages.faulty_decoders import DYING
from tests.waiting import DEADLINE_SECONDS, until

NASTY = Path(__file__).parents[1] / "data" / "nasty"
WITH_WARNINGS = NASTY / "crash-1152ec2d1a1a71395b6f2ce6721c38924d025bf3.tif"


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """One for each test: they look at its children."""
    async with Sandbox(PagesConfig(workers=1)) as sandbox:
        yield sandbox


class SentRequests:
    """Counts the requests that were sent to children completely."""

    def __init__(self) -> None:
        self.sent = 0

    async def next(self) -> None:
        """Waits until one more is sent than at the call."""
        before = self.sent
        await until(lambda: self.sent > before)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> SentRequests:
    requests, send = SentRequests(), Channel.send

    def counted(channel: Channel, *frame: Any) -> None:
        send(channel, *frame)
        requests.sent += 1

    monkeypatch.setattr(Channel, "send", counted)
    return requests


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "document.pdf"
    path.write_bytes(made.pdf(made.words("here", 72, 600), pages=5))
    return path


def children() -> set[int]:
    """Process ids of the decoding processes, as the kernel lists them."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # a thread or a process that ends meanwhile
            for pid in (task / "children").read_text().split():
                if b"dsocr.process.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.add(int(pid))
    return found


def has_open(child: int, path: Path) -> bool:
    """Whether the process has this file open."""
    return str(path) in [os.readlink(file) for file in Path(f"/proc/{child}/fd").iterdir()]


async def test_children_start_when_needed_and_end_with_the_sandbox(document: Path) -> None:
    async with Sandbox(PagesConfig()) as sandbox:
        assert children() == set()
        async with await open_document(document, name="d", sandbox=sandbox) as source:
            await source.render_page(0)
            await source.render_page(1)
        assert len(children()) == 1
    assert children() == set()
    with pytest.raises(EngineUnavailable):
        await open_document(document, name="d", sandbox=sandbox)


async def test_a_child_killed_between_pages_costs_no_page(document: Path, sandbox: Sandbox) -> None:
    async with await open_document(document, name="d", sandbox=sandbox) as source:
        (before,) = children()
        os.kill(before, signal.SIGKILL)
        os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)
        assert (await source.render_page(3)).index == 3
        assert children() != {before}


async def test_a_page_whose_child_is_killed_from_outside_is_rendered_by_a_new_child(
    document: Path, sandbox: Sandbox, requests: SentRequests
) -> None:
    async with await open_document(document, name="d", sandbox=sandbox) as source:
        (child,) = children()
        os.kill(child, signal.SIGSTOP)  # so that the page is certainly in progress
        rendering = asyncio.ensure_future(source.render_page(0))
        await requests.next()
        os.kill(child, signal.SIGKILL)
        assert (await rendering).index == 0
        assert len(children()) == 1 and child not in children()


@pytest.mark.parametrize(
    ("name", "attempts"), [("SIGKILL", 2), ("SIGTERM", 2), ("SIGXCPU", 1), ("SIGSEGV", 1)]
)
async def test_a_file_is_tried_twice_only_if_its_child_was_killed_from_outside(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, name: str, attempts: int
) -> None:
    monkeypatch.setattr(sandbox_module, "DECODER", DYING)
    path = tmp_path / name
    path.write_bytes(made.pdf())
    size = path.stat().st_size
    source = await open_document(path, name="d", sandbox=sandbox)
    with pytest.raises(BadPdf):
        await source.render_page(0)
    assert path.stat().st_size == size + attempts
    assert children() == set()


async def test_several_children_render_pages_of_one_document(
    document: Path, requests: SentRequests
) -> None:
    async with Sandbox(PagesConfig(workers=2)) as sandbox:
        source = await open_document(document, name="d", sandbox=sandbox)
        (first,) = children()
        os.kill(first, signal.SIGSTOP)
        waiting = asyncio.ensure_future(source.render_page(0))
        await requests.next()
        assert [(await source.render_page(index)).index for index in (1, 2, 3)] == [1, 2, 3]
        assert not waiting.done()
        os.kill(first, signal.SIGCONT)
        assert (await waiting).index == 0
        assert len(children()) == 2
        assert all(has_open(child, document) for child in children())
        await source.close()
        assert not any(has_open(child, document) for child in children())


async def test_a_document_gets_its_turn_while_a_long_one_waits_for_all_children(
    document: Path, sandbox: Sandbox
) -> None:
    other = document.with_name("other.pdf")
    other.write_bytes(document.read_bytes())
    ended: list[str] = []
    long = await open_document(document, name="d", sandbox=sandbox)

    async def render(source: DocumentFile, index: int) -> None:
        await source.render_page(index)
        ended.append(source.path.name)

    pages = [asyncio.ensure_future(render(long, number % 5)) for number in range(20)]
    await asyncio.sleep(0)
    short = await open_document(other, name="o", sandbox=sandbox)
    await render(short, 0)
    assert len(ended) <= 10
    await asyncio.gather(*pages)


async def test_a_child_that_hangs_is_killed(
    document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Sandbox(PagesConfig(workers=1, page_timeout_seconds=DEADLINE_SECONDS)) as sandbox:
        source = await open_document(document, name="d", sandbox=sandbox)
        (child,) = children()
        os.kill(child, signal.SIGSTOP)
        with monkeypatch.context() as patch:
            patch.setattr(sandbox, "_config", PagesConfig(page_timeout_seconds=0.3))
            with pytest.raises(PageTimeout):
                await source.render_page(0)
        assert child not in children()
        assert (await source.render_page(0)).index == 0


async def test_a_file_over_the_memory_limit_costs_no_other_file(
    tmp_path: Path, document: Path
) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(made.png_bomb(20_000))
    limits = PagesConfig(workers=1, max_pixels=500_000_000, memory_mb=256)
    async with Sandbox(limits) as sandbox:
        with pytest.raises(Exception) as raised:
            await (await open_document(path, name="l", sandbox=sandbox)).render_page(0)
        assert getattr(raised.value, "code", "") in ("too_many_pixels", "bad_image")
        async with await open_document(document, name="d", sandbox=sandbox) as source:
            assert (await source.render_page(0)).index == 0


async def test_cancelling_kills_the_busy_child_only(
    document: Path, sandbox: Sandbox, requests: SentRequests
) -> None:
    async with await open_document(document, name="d", sandbox=sandbox) as source:
        (child,) = children()
        os.kill(child, signal.SIGSTOP)
        rendering = asyncio.ensure_future(source.render_page(0))
        await requests.next()
        rendering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await rendering
        assert child not in children()
        assert (await source.render_page(0)).index == 0


async def test_cancelling_at_any_moment_leaves_no_child_running(document: Path) -> None:
    async with Sandbox(PagesConfig(workers=1)) as sandbox:
        for turns in range(12):
            rendering = asyncio.ensure_future(open_document(document, name="d", sandbox=sandbox))
            for _ in range(turns):
                await asyncio.sleep(0.001 * turns)
            rendering.cancel()
            await asyncio.gather(rendering, return_exceptions=True)
            assert len(children()) <= 1
    assert children() == set()


async def test_closing_fails_requests_without_an_error_of_the_file(
    document: Path, requests: SentRequests
) -> None:
    sandbox = Sandbox(PagesConfig(workers=1))
    source = await open_document(document, name="d", sandbox=sandbox)
    (child,) = children()
    os.kill(child, signal.SIGSTOP)
    rendering = asyncio.ensure_future(source.render_page(0))
    await requests.next()
    await sandbox.close()
    with pytest.raises(EngineUnavailable):
        await rendering
    assert children() == set()


async def test_a_page_over_the_cpu_limit_fails(document: Path) -> None:
    slow = document.with_name("slow.pdf")
    slow.write_bytes(made.pdf("0 0 612 792 re f " * 400_000))
    async with Sandbox(PagesConfig(workers=1, cpu_seconds=0.1)) as sandbox:
        source = await open_document(slow, name="s", sandbox=sandbox)
        with pytest.raises(BadPdf):
            await source.render_page(0)
        assert children() == set()


async def test_two_documents_alternate_in_one_child(tmp_path: Path, sandbox: Sandbox) -> None:
    sources = []
    for name in ("one", "two"):
        path = tmp_path / name
        path.write_bytes(made.pdf(made.words(name, 72, 600), pages=4))
        sources.append(await open_document(path, name=name, sandbox=sandbox))
    for index in range(4):
        for source in sources:
            lines = (await source.render_page(index)).text_lines or ()
            assert [line.text for line in lines] == [source.name]
    for source in sources:
        await source.close()
    assert len(children()) == 1


async def test_many_documents_at_once_start_no_more_children_than_allowed(tmp_path: Path) -> None:
    async def line_texts(number: int, sandbox: Sandbox) -> list[str]:
        path = tmp_path / str(number)
        path.write_bytes(made.pdf(made.words(f"number {number}", 72, 600), pages=3))
        async with await open_document(path, name=str(number), sandbox=sandbox) as source:
            pages = await asyncio.gather(*(source.render_page(index) for index in range(3)))
        return [line.text for page in pages for line in page.text_lines or ()]

    async with Sandbox(PagesConfig(workers=2)) as sandbox:
        found = await asyncio.gather(*(line_texts(number, sandbox) for number in range(12)))
        assert found == [[f"number {number}"] * 3 for number in range(12)]
        assert len(children()) <= 2


async def test_a_closed_document_is_closed_in_its_child(document: Path, sandbox: Sandbox) -> None:
    source = await open_document(document, name="d", sandbox=sandbox)
    (child,) = children()
    assert has_open(child, document)
    await source.close()
    assert not has_open(child, document)


async def test_a_child_is_replaced_after_a_number_of_responses(
    document: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox_module, "RECYCLE_AFTER", 3)
    seen = set()
    async with await open_document(document, name="d", sandbox=sandbox) as source:
        for index in range(5):
            assert (await source.render_page(index)).index == index
            seen |= children()
    assert len(seen) == 2


async def test_children_have_no_api_keys_in_their_environment(
    document: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSEEK_OCR_API_KEYS", "a-secret-key")
    await open_document(document, name="d", sandbox=sandbox)
    (child,) = children()
    assert b"a-secret-key" not in Path(f"/proc/{child}/environ").read_bytes()


async def test_a_broken_image_leaves_its_child_alive(tmp_path: Path, sandbox: Sandbox) -> None:
    path = tmp_path / "page.png"
    path.write_bytes(made.png_bomb(100)[:60])
    for _ in range(3):
        with pytest.raises(BadImage):
            await (await open_document(path, name="p", sandbox=sandbox)).render_page(0)
        assert len(children()) == 1


async def test_warnings_of_libraries_are_not_printed(
    sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    """They name folders of this machine; errors reach the user in another way."""
    with pytest.raises(BadImage):
        async with await open_document(WITH_WARNINGS, name="d", sandbox=sandbox) as source:
            await source.render_page(0)
    assert "UserWarning" not in capfd.readouterr().err
