"""The runner with the fake engine: the calls of its observer, and what is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsocr.batch.inputs import Input, gather
from dsocr.batch.runner import ReadJob, run_batch
from dsocr.engines import registry
from dsocr.engines.base import EngineInfo
from dsocr.engines.ppocr.config import PpocrConfig
from dsocr.engines.selection import EngineSelection
from dsocr.host import HostConfig
from dsocr.types import ReadOptions
from tests.fakes import OPTIONS, FakeEngine, pdf, png

HOST = HostConfig("ppocr", {"ppocr": PpocrConfig()})


class Recorder:
    """An observer that keeps its calls."""

    def __init__(self) -> None:
        self.engine = ""
        self.num_opened: list[int] = []
        self.num_done = 0
        self.written: list[str] = []
        self.failures: list[str] = []
        self.notes: list[str] = []

    def engine_ready(self, info: EngineInfo, selection: EngineSelection) -> None:
        self.engine = f"{info.name}: {selection.reason}"

    def document_opened(self, num_pages: int) -> None:
        self.num_opened.append(num_pages)

    def page_done(self) -> None:
        self.num_done += 1

    def document_written(self, entry: Input, target: Path, num_pages: int, seconds: float) -> None:
        self.written.append(target.name)

    def noted(self, message: str) -> None:
        self.notes.append(message)

    def failed(self, message: str) -> None:
        self.failures.append(message)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    created = FakeEngine()
    monkeypatch.setattr(registry, "create", lambda name, config: created)
    return created


async def test_documents_are_written_and_the_observer_follows(
    tmp_path: Path, engine: FakeEngine
) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf([["one"], ["two"]]))
    (tmp_path / "b.pdf").write_bytes(pdf([["three"], ["@crash"]]))
    recorder = Recorder()
    summary = await run_batch(
        gather([str(tmp_path)]),
        [tmp_path / "a.txt", tmp_path / "b.txt"],
        ReadJob(ReadOptions(OPTIONS), "text"),
        host_config=HOST,
        observer=recorder,
    )
    assert (summary.documents, summary.pages, summary.failed, summary.skipped) == (2, 3, 1, 0)
    assert recorder.engine == "fake: ppocr was requested"
    assert (sorted(recorder.num_opened), recorder.num_done) == ([2, 2], 4)
    assert recorder.written == ["a.txt"]
    assert len(recorder.failures) == 1 and "b.pdf: page 2: " in recorder.failures[0]
    assert "three" in (tmp_path / "b.txt").read_text()
    assert engine.closed


async def test_without_targets_documents_are_handed_over_in_the_order_of_the_inputs(
    tmp_path: Path, engine: FakeEngine
) -> None:
    names = [str(tmp_path / f"{name}.png") for name in ("c", "a", "b")]
    for name in names:
        Path(name).write_bytes(png([Path(name).stem]))
    contents: list[bytes] = []
    await run_batch(
        gather(names),
        None,
        ReadJob(ReadOptions(OPTIONS), "text"),
        host_config=HOST,
        observer=Recorder(),
        write_document=contents.append,
    )
    assert [content.split() for content in contents] == [[b"c"], [b"a"], [b"b"]]
