"""Folders whose new files are planned while a batch runs."""

from __future__ import annotations

from pathlib import Path

from dsocr.batch.workspace.planner import plan_documents
from dsocr.batch.workspace.sources import FoundFile, find_files
from dsocr.batch.workspace.stores.store import Store, is_cloud
from dsocr.errors import BadRequest


class WatchedFolders:
    """Plans the new files of folders; a file is taken once it is as it was at the last scan."""

    def __init__(self, store: Store, folders: list[str], leave_out: Path | None) -> None:
        """Raises `BadRequest` for a local folder that does not exist."""
        for folder in folders:
            if not (is_cloud(folder) or Path(folder).is_dir()):
                raise BadRequest(f"--watch: {folder} is not a folder. Make it first.")
        self._store, self._folders, self._leave_out = store, folders, leave_out
        self._states: dict[str, FileState] = {}

    def scan(self) -> None:
        files = [
            file
            for file in find_files(self._folders, leave_out=self._leave_out)
            if not file.unsupported
        ]
        states = {file.uri: _file_state(file) for file in files}
        settled = [file for file in files if self._states.get(file.uri) == states[file.uri]]
        self._states = states
        if settled:
            plan_documents(self._store, settled)


FileState = tuple[int, int]
"""Size in bytes and time of modification in nanoseconds; 0 in a bucket, whose files are whole."""


def _file_state(file: FoundFile) -> FileState:
    """The time shows a file that is written into space reserved at its full size."""
    if is_cloud(file.uri):
        return file.num_bytes, 0
    try:
        return file.num_bytes, Path(file.uri).stat().st_mtime_ns
    except OSError:  # removed meanwhile: the next scan does not find it
        return file.num_bytes, 0
