"""Workers of a batch on a Ray cluster: killed, resumed, and compared with an undisturbed run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dsocr.batch.ray_workers import RayRun
from dsocr.batch.workspace.report import find_problems, read_status
from dsocr.batch.workspace.stores.store import Store
from dsocr.batch.workspace.worker import RunConfig
from dsocr.engines.ray.config import RayConfig
from dsocr.host import HostConfig
from tests.batch.workspace.workspaces import ROOT, make_documents, planned, shards_of
from tests.waiting import wait_until

SETTINGS = {
    "DEEPSEEK_OCR_RAY__MAX_REPLICAS": "2",
    "DEEPSEEK_OCR_RAY__CPUS_PER_REPLICA": "0.5",
    "RAY_raylet_start_wait_time_s": "300",
}


def start_run(workspace: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dsocr", "batch", "run", str(workspace)]
    return subprocess.Popen(
        [*command, "--engine", "ppocr", "--quiet", *options],
        cwd=ROOT,
        env={**os.environ, **SETTINGS},
        stdout=subprocess.PIPE,
    )


def ended(run: subprocess.Popen[bytes]) -> tuple[bytes, int]:
    """What it printed, and its exit status."""
    return run.communicate(timeout=300)[0], run.returncode


def holders_of(store: Store, epoch: int) -> list[int]:
    """The running processes that made a claim of this epoch."""
    claims = [key for key in store.keys("claims/") if key.endswith(f".{epoch:06}")]
    workers = {(store.get(claim) or b"").decode() for claim in claims}
    heartbeats = [store.get(f"workers/{worker}") for worker in workers]
    return [json.loads(heartbeat)["pid"] for heartbeat in heartbeats if heartbeat]


@pytest.mark.slow
def test_killed_workers_and_a_stopped_command_leave_the_bytes_of_an_undisturbed_run(
    tmp_path: Path,
) -> None:
    pytest.importorskip("ray")
    make_documents(tmp_path / "in", 40)
    store = planned(str(tmp_path / "work"), str(tmp_path / "in"))
    other = planned(str(tmp_path / "other"), str(tmp_path / "in"))

    first = start_run(tmp_path / "work", "--ray")
    wait_until(lambda: store.keys("pages/") or first.poll() is not None, seconds=300)
    os.kill(holders_of(store, 1)[0], signal.SIGKILL)
    wait_until(lambda: holders_of(store, 2) or first.poll() is not None, seconds=300)
    first.terminate()
    assert ended(first) == (b"", 130)
    assert not read_status(store).is_complete

    assert ended(start_run(tmp_path / "work", "--ray")) == (b"", 0)
    assert ended(start_run(tmp_path / "other")) == (b"", 0)
    assert list(find_problems(store)) == []
    assert shards_of(store) == shards_of(other)


def test_a_worker_reserves_gpus_for_engines_that_use_them() -> None:
    def reserved(engine: str) -> float:
        host = HostConfig(engine, {})
        return RayRun("work", host, RunConfig(), RayConfig()).resources["num_gpus"]

    assert [reserved(engine) for engine in ("native", "auto", "ppocr", "remote")] == [1, 1, 0, 0]
