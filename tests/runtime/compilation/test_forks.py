"""Jobs in forked processes. They run in a process of their own: this one has threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

PROGRAM = """
import json, os, sys
from functools import partial
from pathlib import Path
from dsocr.runtime.compilation.forks import run_forked

folder = Path(sys.argv[1])

def job(number):
    if number == 2:
        raise ValueError("no")
    if number == 5:
        os._exit(9)
    (folder / str(number)).write_text(str(os.getpid()))

counts = []
left = run_forked([partial(job, number) for number in range(8)], 3, counts.append)
print(json.dumps({"left": sorted(left), "counts": counts, "pid": os.getpid()}))
"""


def test_every_job_runs_once_in_another_process_and_failures_are_named(tmp_path: Path) -> None:
    out = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True
    )
    said = json.loads(out.stdout)
    assert said["left"] == [2, 5]
    assert said["counts"] == [1, 2, 3, 4, 5, 6, 7]  # the process that died reports nothing
    assert {path.name for path in tmp_path.iterdir()} == {"0", "1", "3", "4", "6", "7"}
    assert str(said["pid"]) not in {path.read_text() for path in tmp_path.iterdir()}
    assert "ValueError: no" in out.stderr
