"""Memory of a machine or a container, as the kernel reports it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsocr.process import machine, supervisor


@pytest.mark.parametrize(
    ("limit", "expected"), [("max\n", None), ("4096\n", 4096), ("9" * 18, None)]
)
def test_a_container_limit_applies_where_it_is_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, expected: int | None
) -> None:
    path = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "_MEMORY_LIMIT_FILES", (str(path),))
    whole = machine.memory_bytes()
    assert whole is not None and whole > 64 << 20
    path.write_text(limit)
    assert machine.memory_bytes() == (expected or whole)


@pytest.mark.parametrize(
    ("memory", "num_bytes"), [(None, 1 << 30), (4 << 30, 1 << 30), (64 << 30, 8 << 30)]
)
def test_a_large_machine_allows_more_bytes_in_flight(
    monkeypatch: pytest.MonkeyPatch, memory: int | None, num_bytes: int
) -> None:
    monkeypatch.setattr(supervisor, "memory_bytes", lambda: memory)
    assert supervisor.max_inflight_bytes() == num_bytes
