"""What the multipart parser leaves out: a preamble, and file names of RFC 5987."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from python_multipart.multipart import parse_options_header

_PARAMETER = re.compile(rb""";\s*([^=;"\s]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)""")


class Preamble:
    """Skips what is before the first boundary of a multipart body (RFC 2046, 5.1.1)."""

    def __init__(self, boundary: bytes) -> None:
        self._line = b"\n--" + boundary
        self._tail = b"\n"  # the body begins as a line does
        self.ended = False

    def rest(self, data: bytes) -> bytes:
        """The part of the next bytes of the body that belongs to the parser."""
        if self.ended:
            return data
        data = self._tail + data
        start = data.find(self._line)
        self.ended = start >= 0
        if self.ended:
            return data[start + 1 :]
        self._tail = data[-len(self._line) + 1 :]
        return b""


def file_name(disposition: bytes) -> str | None:
    """The file name in a Content-Disposition; None for a part that is no file.

    `filename*=UTF-8''…` without `filename` is what urllib3 before 1.25 sends for a name that is not
    ASCII, though RFC 7578 forbids it.
    """
    _, options = parse_options_header(disposition)
    if b"filename" in options:
        return options[b"filename"].decode(errors="replace")
    for key, value in _PARAMETER.findall(disposition):
        if key.lower() == b"filename*":
            return _decoded(value.strip(b'" \t'))
    return None


def _decoded(value: bytes) -> str:
    """A value of RFC 5987: `charset'language'percent-encoded`, in UTF-8 or ISO-8859-1."""
    charset, _, encoded = value.rpartition(b"'")
    is_latin = charset.lower().startswith(b"iso-8859-1'")
    return unquote_to_bytes(encoded).decode("latin-1" if is_latin else "utf-8", "replace")
