"""What a machine or a container has, told as the kernel tells it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsocr.process import machine, supervisor


@pytest.mark.parametrize(("limit", "most"), [("max\n", None), ("4096\n", 4096), ("9" * 18, None)])
def test_a_container_s_limit_counts_where_it_is_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int | None
) -> None:
    path = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "_LIMITS", (str(path),))
    whole = machine.memory_bytes()
    assert whole is not None and whole > 64 << 20
    path.write_text(limit)
    assert machine.memory_bytes() == (most or whole)


@pytest.mark.parametrize(
    ("memory", "flight"), [(None, 1 << 30), (4 << 30, 1 << 30), (64 << 30, 8 << 30)]
)
def test_a_large_machine_keeps_more_pages_in_flight(
    monkeypatch: pytest.MonkeyPatch, memory: int | None, flight: int
) -> None:
    monkeypatch.setattr(supervisor, "memory_bytes", lambda: memory)
    assert supervisor.inflight_bytes() == flight
