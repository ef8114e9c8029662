"""Where a command writes and in which format."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from dsocr.batch.figures import folder_of
from dsocr.batch.inputs import STDIN, Input, gather, plan_outputs
from dsocr.batch.storage import descriptor_named, make_writable, make_writable_folder
from dsocr.errors import BadRequest
from dsocr.exports import FORMATS, Format, format_of

SEVERAL_TO_STDOUT = ("markdown", "text", "json", "jsonl", "chunks", "doctags")
"""Formats of which several documents may follow each other."""
STDOUT_DESCRIPTOR = 1


@dataclass(slots=True)
class Plan:
    """The inputs and their output files. Without `targets`: standard output."""

    inputs: list[Input]
    targets: list[Path] | None
    num_left_out: int = 0
    """Documents whose output exists."""
    json_lines: bool = False
    """Whether standard output gets one line of JSON a document."""


def plan(paths: list[str], output: str | None, key: str | None, *, skip_existing: bool) -> Plan:
    """What to read and where to write it; `key` is the format that the user named.

    Raises `BadRequest`.
    """
    folder = None if output is None or is_stdout(output) else Path(output)
    inputs = gather(paths, leave_out=folder)
    if not inputs:
        raise BadRequest("No file found in " + ", ".join(paths) + ".")
    kind = planned_format(key, output)
    if folder is None:
        return _to_stdout(inputs, kind, skip_existing=skip_existing)
    if str(output).endswith("/"):
        make_writable_folder(folder)
    targets = plan_outputs(inputs, folder, kind.extension)
    if kind.key == "markdown":
        _check_figure_folders(inputs, targets)
    if targets == [folder]:
        format_of_file(key, folder)
        make_writable(folder)
    else:
        make_writable_folder(folder)
    if skip_existing:
        kept = [pair for pair in zip(inputs, targets, strict=True) if not pair[1].exists()]
        left_out = len(inputs) - len(kept)
        return Plan([entry for entry, _ in kept], [target for _, target in kept], left_out)
    return Plan(inputs, targets)


def is_stdout(output: str) -> bool:
    """Whether `output` is `-` or a name of standard output, such as /dev/stdout or a link to it."""
    return output == STDIN or descriptor_named(Path(output)) == STDOUT_DESCRIPTOR


def planned_format(key: str | None, output: str | None) -> Format:
    """The format of that key, else by the extension of the output, else markdown."""
    if key:
        return format_of(key)
    return _format_by_extension(Path(output or "")) or format_of("markdown")


def format_of_file(key: str | None, path: Path) -> Format:
    """As `planned_format`, for one output file. Raises `BadRequest` for an unknown extension."""
    if not key and path.suffix and _format_by_extension(path) is None:
        known = ", ".join(f".{known.extension}" for known in FORMATS)
        raise BadRequest(
            f"{path.name}: {path.suffix} is not the extension of a format. Use one of {known}, "
            "or name the format with --format."
        )
    return planned_format(key, str(path))


def json_line(content: bytes) -> bytes:
    """A JSON document as one line."""
    line = json.dumps(json.loads(content), ensure_ascii=False, separators=(",", ":"))
    return line.encode() + b"\n"


def _format_by_extension(path: Path) -> Format | None:
    extension = path.suffix.lstrip(".").lower()
    return next((known for known in FORMATS if extension in (known.extension, known.key)), None)


def _check_figure_folders(inputs: list[Input], targets: list[Path]) -> None:
    """Raises `BadRequest` if a figure might be written over an input."""
    folders = {os.path.realpath(folder_of(target)) for target in targets}
    for entry in inputs:
        parent = os.path.dirname(os.path.realpath(entry.path))
        if parent in folders:
            raise BadRequest(
                f"{entry} is in {parent}, which is for the figures of an output; choose another "
                "output."
            )


def _to_stdout(inputs: list[Input], kind: Format, *, skip_existing: bool) -> Plan:
    if skip_existing:
        raise BadRequest("--skip-existing needs -o; name the output.")
    if len(inputs) > 1 and kind.key not in SEVERAL_TO_STDOUT:
        raise BadRequest(f"Several documents as {kind.key} need a folder; use -o DIR.")
    if not kind.is_text and sys.stdout.isatty():
        raise BadRequest(f"Refusing to write {kind.key} to a terminal; use -o FILE.")
    several = len(inputs) > 1 or not inputs[0].named
    return Plan(inputs, None, json_lines=kind.key == "json" and several)
