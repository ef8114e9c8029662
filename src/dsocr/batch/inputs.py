"""What people write as paths, and where the outputs go: files, folders, patterns, standard input.

Knows nothing of documents.
"""

from __future__ import annotations

import glob
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dsocr.errors import BadRequest

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Input:
    """One file to read, or standard input."""

    path: Path
    below: Path
    """Its place below the folder that was given; for a file that was named, its name."""
    named: bool = True
    """Named by the user. What merely lay in a folder need not be a document."""

    label: str = ""
    """What to call it to people; empty: its path."""

    @property
    def is_stdin(self) -> bool:
        return str(self.path) == STDIN

    def __str__(self) -> str:
        return self.label or str(self.path)


def gather(paths: Sequence[str], *, leave_out: Path | None = None) -> list[Input]:
    """All inputs in the order given, folders and patterns in natural order (2 before 10).

    A path that is not there is an input too: reading it says so. `leave_out` is the folder of the
    outputs, which may lie within that of the inputs. Raises `BadRequest` for a pattern that
    matches nothing.
    """
    found: dict[Path, Input] = {}
    for path in paths:
        for entry in _expand(path):
            if leave_out is None or entry.named or not _within(entry.path, leave_out):
                found.setdefault(entry.path, entry)
    return list(found.values())


def plan_outputs(inputs: Sequence[Input], output: Path, extension: str) -> list[Path]:
    """The file each input goes to: `output` itself, or below it where it is to be a folder.

    The folders below the one given are kept. `scan.pdf` becomes `scan.md`; where `scan.png` lies
    beside it, they become `scan.pdf.md` and `scan.png.md`. Raises `BadRequest` when two inputs
    would be written to one file or when an input would be overwritten.
    """
    if len(inputs) == 1 and inputs[0].named and not output.is_dir():
        targets = [output]
    elif output.exists() and not output.is_dir():
        raise BadRequest(f"{output} is a file; several documents need a folder.")
    else:
        short = [output / entry.below.with_suffix(f".{extension}") for entry in inputs]
        times = Counter(short)
        targets = [
            path if times[path] == 1 else output / f"{entry.below}.{extension}"
            for path, entry in zip(short, inputs, strict=True)
        ]
    for target, count in Counter(targets).items():
        if count > 1:
            raise BadRequest(f"{count} of the files would all be written to {target}.")
    read = {os.path.realpath(entry.path) for entry in inputs}
    for target in targets:
        if os.path.realpath(target) in read:
            raise BadRequest(f"{target} is one of the files to read: it is not overwritten.")
    return targets


def _expand(path: str) -> Iterator[Input]:
    if path == STDIN:
        yield Input(Path(STDIN), Path("stdin"))
    elif os.path.isdir(path):
        yield from _files_in(Path(path))
    elif not os.path.exists(path) and glob.has_magic(path):
        matches = sorted(glob.glob(path, recursive=True), key=_natural)
        if not matches:
            raise BadRequest(f"Nothing matches {path}.")
        root = Path(path[: re.search(r"[*?\[]", path).start()])  # type: ignore[union-attr]
        root = root if path[len(str(root)) :].startswith(os.sep) else root.parent
        for match in matches:
            if os.path.isfile(match):
                yield Input(Path(match), Path(os.path.relpath(match, root)))
    else:
        yield Input(Path(path), Path(Path(path).name))


def _files_in(folder: Path) -> Iterator[Input]:
    """Hidden files are left out, and links to folders, which could lead in circles."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=_natural)
        for name in sorted(files, key=_natural):
            path = Path(here) / name
            if not name.startswith(".") and path.is_file():  # a pipe would be waited for
                yield Input(path, path.relative_to(folder), named=False)


def _within(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _natural(name: str) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdecimal() else (sys.maxsize, part)
        for part in re.split(r"(\d{1,15})", name.lower())
        if part
    ]
