"""Expands paths, folders, patterns and standard input to input files, and plans their outputs.

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

from dsocr.batch.names import printable
from dsocr.errors import BadRequest

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Input:
    """One file to read, or standard input."""

    path: Path
    below: Path
    """Its path relative to the given folder; for a named file, its name."""
    named: bool = True
    """Named by the user. A file found in a folder need not be a document."""

    label: str = ""
    """Its name in messages; empty: its path."""

    @property
    def is_stdin(self) -> bool:
        return str(self.path) == STDIN

    def __str__(self) -> str:
        return printable(self.label or str(self.path))


def gather(paths: Sequence[str], *, leave_out: Path | None = None) -> list[Input]:
    """All inputs in the given order; files of folders and patterns in natural order (2 before 10).

    A path that does not exist is an input too: reading it reports the error. `leave_out` is the
    output folder, which may be inside an input folder. Raises `BadRequest` for a pattern without
    matches.
    """
    found: dict[Path, Input] = {}
    for path in paths:
        for entry in _expand(path):
            if leave_out is None or entry.named or not _within(entry.path, leave_out):
                found.setdefault(entry.path, entry)
    return list(found.values())


def plan_outputs(inputs: Sequence[Input], output: Path, extension: str) -> list[Path]:
    """The output file of each input: `output` itself, or a file in it if it is a folder.

    Subfolders are kept. `scan.pdf` becomes `scan.md`; together with a `scan.png` they become
    `scan.pdf.md` and `scan.png.md`. Raises `BadRequest` if two inputs have the same output or an
    input would be overwritten.
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
            raise BadRequest(
                f"{count} inputs would all be written to {target}; read them separately."
            )
    input_paths = {os.path.realpath(entry.path) for entry in inputs}
    for target in targets:
        if os.path.realpath(target) in input_paths:
            raise BadRequest(f"{target} is an input and is not overwritten; choose another output.")
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
    """Without hidden files and links to folders, which could form cycles."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=_natural)
        for name in sorted(files, key=_natural):
            path = Path(parent) / name
            # a pipe would block; a link to nothing is reported when it is read
            is_input = path.is_file() or (path.is_symlink() and not os.path.exists(path))
            if not name.startswith(".") and is_input:
                yield Input(path, path.relative_to(folder), named=False)


def _within(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _natural(name: str) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdecimal() else (sys.maxsize, part)
        for part in re.split(r"(\d{1,15})", name.lower())
        if part
    ]
