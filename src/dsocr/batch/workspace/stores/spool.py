"""Records of a group on disk while it is read, so that memory does not grow with its pages."""

from __future__ import annotations

import tempfile
import threading

MEMORY_BYTES = 4 << 20
"""Up to so many bytes are kept in memory."""


class Spool:
    """Contents by their keys, in a temporary file. Any number of threads may use it."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115
        self._places: dict[str, tuple[int, int]] = {}
        self._end = 0
        self._lock = threading.Lock()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def put(self, key: str, content: bytes) -> None:
        with self._lock:
            self._file.seek(self._end)
            self._file.write(content)
            self._places[key] = (self._end, len(content))
            self._end += len(content)

    def get(self, key: str) -> bytes:
        """Raises `KeyError`."""
        with self._lock:
            start, length = self._places[key]
            self._file.seek(start)
            return self._file.read(length)

    def close(self) -> None:
        self._file.close()
