"""The files of jobs, while others delete some of them."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from dsocr.jobs.files import STRAY_SECONDS, JobFiles


def test_files_that_go_while_they_are_looked_through_are_no_error(tmp_path: Path) -> None:
    files = JobFiles(tmp_path, "1", quota_mb=0, min_free_mb=0)
    files.open()
    for name in ("old", "gone", "older"):
        (tmp_path / "files" / name).mkdir()

    def much_later() -> float:
        shutil.rmtree(tmp_path / "files" / "gone", ignore_errors=True)
        return time.time() + 2 * STRAY_SECONDS

    assert set(files.strays(much_later)) == {"old", "older"}


def test_only_what_has_been_here_for_long_is_a_stray(tmp_path: Path) -> None:
    files = JobFiles(tmp_path, "1", quota_mb=0, min_free_mb=0)
    files.open()
    (tmp_path / "files" / "new").mkdir()
    assert files.strays() == []
