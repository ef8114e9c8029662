"""Memory of a machine or a container, as the kernel reports it."""

from __future__ import annotations

import os
import subprocess
import sys
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


@pytest.mark.skipif(sys.platform != "linux", reason="cgroups are Linux's")
@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000\n", None),
        ("50000 100000\n", 1),
        ("100000 100000\n", 1),
        ("9900000 100000", None),
    ],
)
def test_a_container_with_less_cpu_time_has_fewer_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int | None
) -> None:
    monkeypatch.setattr(machine, "_QUOTA_FILE", str(tmp_path / "cpu.max"))
    (tmp_path / "cpu.max").write_text(quota)
    assert machine.num_cores() == (cores or len(os.sched_getaffinity(0)))


@pytest.mark.skipif(sys.platform != "linux", reason="cgroups are Linux's")
@pytest.mark.parametrize(("quota", "cores"), [("-1\n", None), ("100000\n", 1)])
def test_an_old_cgroup_limits_the_cores_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cores: int | None
) -> None:
    files = tmp_path / "quota", tmp_path / "period"
    for file, text in zip(files, (quota, "100000\n"), strict=True):
        file.write_text(text)
    monkeypatch.setattr(machine, "_QUOTA_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(machine, "_QUOTA_FILES_V1", tuple(map(str, files)))
    assert machine.num_cores() == (cores or len(os.sched_getaffinity(0)))


def test_the_limit_of_open_files_is_raised_for_this_process_and_its_children() -> None:
    program = (
        "import resource, subprocess, sys\n"
        "from dsocr.process.machine import open_files, raise_open_files\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))\n"
        "raise_open_files()\n"
        "below = 'import resource; print(*resource.getrlimit(resource.RLIMIT_NOFILE))'\n"
        "print(open_files(), hard, flush=True)\n"
        "subprocess.run([sys.executable, '-c', below], check=True)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    ours, theirs = (tuple(map(int, line.split())) for line in ran.stdout.splitlines())
    assert ours == theirs
    assert ours[0] == (min(ours[1], 65_536) if ours[1] > 0 else 65_536)


@pytest.mark.parametrize(
    ("memory", "num_bytes"), [(None, 1 << 30), (4 << 30, 1 << 30), (64 << 30, 8 << 30)]
)
def test_a_large_machine_allows_more_bytes_in_flight(
    monkeypatch: pytest.MonkeyPatch, memory: int | None, num_bytes: int
) -> None:
    monkeypatch.setattr(supervisor, "memory_bytes", lambda: memory)
    assert supervisor.max_inflight_bytes() == num_bytes
