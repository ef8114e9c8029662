"""What a document is read from: a path where that is allowed, a data URL, or a URL."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from dsocr.errors import BadRequest

_EXTENSIONS = {
    "application/pdf": ".pdf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/tiff": ".tif",
    "image/webp": ".webp",
}


@dataclass(frozen=True, slots=True)
class File:
    """A document to send to the service: its content, or the URL that the service fetches."""

    name: str
    content: bytes | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Paths:
    """Which files of this machine may be read."""

    roots: tuple[Path, ...] | None = ()
    """None: all that this process may read. Empty: none."""

    def read(self, text: str) -> File:
        """The file at a path; a relative one is below the first root. Raises `BadRequest`."""
        if self.roots is not None and not self.roots:
            raise BadRequest(
                "Paths of files are not taken here. Send the document itself as a data URL, or "
                "name the id of one that was read."
            )
        try:
            path = Path(text).expanduser()
            if self.roots:
                path = self._below_a_root(path)
            if not path.is_file():
                raise BadRequest(f"{text}: there is no such file.")
            return File(path.name, path.read_bytes())
        except OSError as error:
            raise BadRequest(f"{text}: {error.strerror or error}") from error
        except (
            ValueError,
            RuntimeError,
        ) as error:  # a NUL, an unknown home folder, a loop of links
            raise BadRequest(f"{text}: this is not the path of a file.") from error

    def _below_a_root(self, path: Path) -> Path:
        """The path without links. Raises `BadRequest` if it is not below a root."""
        roots = [root.resolve() for root in self.roots or ()]
        resolved = (roots[0] / path).resolve()
        if not any(resolved.is_relative_to(root) for root in roots):
            raise BadRequest(f"{path}: only files below the configured folder are read.")
        return resolved


def resolve(source: str, paths: Paths) -> File:
    """The file that a source names. Raises `BadRequest`. Reads the disk: call it in a thread."""
    head = source[:8].lower()
    if head.startswith("data:"):
        return data_url(source)
    if head.startswith(("http://", "https://")):
        return File("", url=source)
    if head.startswith("file://"):
        return paths.read(unquote_to_bytes(source[7:]).decode(errors="replace"))
    return paths.read(source)


def data_url(source: str) -> File:
    """Raises `BadRequest`."""
    head, comma, data = source.partition(",")
    if not comma:
        raise BadRequest("This is not a data URL: it has no comma.")
    media_type, *parameters = head[5:].lower().split(";")
    try:
        is_base64 = "base64" in [each.strip() for each in parameters]
        content = base64.b64decode(data, validate=True) if is_base64 else unquote_to_bytes(data)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("The base64 of the data URL is malformed.") from error
    if not content:
        raise BadRequest("The data URL is empty.")
    return File("document" + _EXTENSIONS.get(media_type.strip(), ""), content)


def allowed_paths(roots: Sequence[Path], *, any_path: bool) -> Paths:
    """Below the roots where there are some, else anywhere or nowhere."""
    return Paths(tuple(roots) if roots else (None if any_path else ()))
