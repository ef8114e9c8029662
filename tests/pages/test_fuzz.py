"""Files with a few bytes changed: they render or fail with a known error."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsocr.errors import DsocrError
from dsocr.pages.config import PagesConfig
from dsocr.pages.sandbox import Sandbox
from dsocr.pages.source import open_document
from dsocr.process.child import Child
from tests.noise import noise
from tests.pages import made

_NOISE = noise(40, 30)
SEEDS = {
    "png": made.encoded(_NOISE, "PNG"),
    "jpeg": made.encoded(_NOISE, "JPEG"),
    "tiff": made.encoded(_NOISE, "TIFF", compression="tiff_lzw"),
    "pdf": made.pdf(made.words("fuzz", 72, 600), pages=2),
}
changes = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)),
    min_size=1,
    max_size=6,
)


class Bench:
    """One loop and one sandbox for all examples: starting a child for each would take minutes."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.sandbox = Sandbox(PagesConfig(workers=1, max_pixels=4_000_000))

    def read(self, path: Path) -> None:
        self.loop.run_until_complete(self._read(path))

    async def _read(self, path: Path) -> None:
        try:
            async with await open_document(path, name="fuzz", sandbox=self.sandbox) as source:
                await source.render_page(0)
        except DsocrError as error:
            assert error.code != "internal"

    def close(self) -> None:
        self.loop.run_until_complete(self.sandbox.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


def mutated(seed: bytes, edits: list[tuple[float, bytes]]) -> bytes:
    out = bytearray(seed)
    for place, change in edits:
        at = int(place * len(out))
        out[at : at + len(change)] = change
    return bytes(out)


def fuzz(bench: Bench, examples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    started = 0
    start = Child.__init__

    def counted(self: Child, *args: object, **options: object) -> None:
        nonlocal started
        started += 1
        start(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Child, "__init__", counted)

    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(kind=st.sampled_from(sorted(SEEDS)), edits=changes)
    def run(kind: str, edits: list[tuple[float, bytes]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "fuzz"
            path.write_bytes(mutated(SEEDS[kind], edits))
            bench.read(path)

    run()
    assert started <= 1 + examples / 100


def test_changed_bytes_never_break_the_service(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fuzz(bench, 100, monkeypatch)


@pytest.mark.slow
def test_changed_bytes_never_break_the_service_in_the_long_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fuzz(bench, 5000, monkeypatch)
