"""The figures that a markdown file links, as files in a folder beside it."""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from dsocr.batch.storage import descriptor_named, is_stream, write_output
from dsocr.exports.options import ExportOptions

_LINK = re.compile(rb"\]\((images/\d+_\d+\.jpg)\)")


def folder_of(target: Path) -> Path:
    """The folder with the figures of a markdown file: `scan-images` beside `scan.md`."""
    return target.with_name(f"{target.stem}-images")


def has_figure_files(
    format: str, options: ExportOptions, target: Path, lines: Iterable[bytes]
) -> bool:
    """Whether an export has figures that go beside `target`; a pipe or a device has no folder."""
    if format != "markdown" or options.figures != "linked":
        return False
    if descriptor_named(target) is not None or is_stream(target):
        return False
    return any(_LINK.search(line) for line in lines)


def write_with_figures(target: Path, markdown: Iterable[bytes], archive: BinaryIO) -> None:
    """Writes the figures of the `zip` export that the lines of `markdown` link, then the markdown
    with links to them: a complete markdown file has its figures. Raises `DiskFull` and
    `BadRequest`."""
    folder = folder_of(target)
    linked: set[bytes] = set()
    with tempfile.TemporaryFile() as text:
        text.writelines(_relinked(markdown, quote(folder.name).encode(), linked))
        with zipfile.ZipFile(archive) as opened:
            for name in opened.namelist():
                if name.encode() in linked:
                    write_output(folder / Path(name).name, opened.read(name))
        write_output(target, text)


def _relinked(lines: Iterable[bytes], folder: bytes, linked: set[bytes]) -> Iterator[bytes]:
    """The lines with links into `folder`; the links of the export are added to `linked`."""

    def link(found: re.Match[bytes]) -> bytes:
        linked.add(found[1])
        return b"](" + folder + found[1].removeprefix(b"images") + b")"

    for line in lines:
        yield _LINK.sub(link, line)
