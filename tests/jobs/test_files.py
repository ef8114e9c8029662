"""Orphaned files of jobs, also while another process deletes some."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from dsocr.jobs.files import ORPHAN_SECONDS, JobFiles


def test_folders_deleted_during_the_scan_are_no_error(tmp_path: Path) -> None:
    files = JobFiles(tmp_path, "1", quota_mb=0, min_free_mb=0)
    files.open()
    for name in ("old", "gone", "older"):
        (tmp_path / "files" / name).mkdir()

    def an_hour_later_with_one_deleted() -> float:
        shutil.rmtree(tmp_path / "files" / "gone", ignore_errors=True)
        return time.time() + 2 * ORPHAN_SECONDS

    assert set(files.old_folders(an_hour_later_with_one_deleted)) == {"old", "older"}


def test_a_new_folder_is_no_orphan(tmp_path: Path) -> None:
    files = JobFiles(tmp_path, "1", quota_mb=0, min_free_mb=0)
    files.open()
    (tmp_path / "files" / "new").mkdir()
    assert files.old_folders() == []
