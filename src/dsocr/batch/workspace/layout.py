"""The keys of a workspace, and the documents that are planned in it.

batch.json                        options, fixed when the batch is planned
plan/<part>.jsonl                 documents, a line each; a later part adds or retries some
claims/<group>.<epoch>            the worker that holds a group; created, never changed
claims/<group>.<epoch>.released   the worker gave it back before it ended
workers/<worker>                  heartbeat of a running worker
pages/<group>/<document>/<page>   the record of one page, until its group is sealed
tries/<group>/<document>/<page>.<n>   a page was started again after its worker was lost
shards/<group>.jsonl              all records of a group, sealed
done/<group>.json                 counts and failures of a sealed group
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dsocr.batch.workspace.stores.store import Store
from dsocr.errors import BadRequest
from dsocr.jobs.store.records import options_of, options_to_text
from dsocr.types import OcrOptions

VERSION = 1
ShardFormat = Literal["jsonl", "parquet"]
DOCUMENT_RECORD = "document"
"""In place of a page number: the record with the number of pages, or why there are none."""


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How every document of a workspace is read."""

    options: OcrOptions
    pages: str | None = None
    """Page ranges such as `1-3,7`; None: all pages."""
    dpi: float | None = None
    shards: ShardFormat = "jsonl"


@dataclass(frozen=True, slots=True)
class PlannedDocument:
    """A document, or some pages of one that are to be read again."""

    id: str
    uri: str
    """Absolute path, or URL in a bucket."""
    name: str
    """Path of its exports, without their extension: unique in the workspace."""
    group: str
    num_bytes: int
    duplicate_of: str | None = None
    """Id of a document with the same content that was planned before."""
    pages: tuple[int, ...] | None = None
    """Page indices from 0, in a retry; None: those of the batch."""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A file that is not a document."""

    uri: str
    reason: str


def write_options(store: Store, batch: BatchOptions) -> None:
    """Raises `BadRequest` if the workspace has other options."""
    values = {**asdict(batch), "options": json.loads(options_to_text(batch.options))}
    content = json.dumps({"version": VERSION, **values}, indent=2, sort_keys=True).encode()
    if not store.create("batch.json", content) and store.get("batch.json") != content:
        raise BadRequest(
            "The workspace has other options (batch.json); use them, or choose another workspace."
        )


def read_options(store: Store) -> BatchOptions:
    """Raises `BadRequest` if this is no workspace, or one of another version."""
    content = store.get("batch.json")
    if content is None:
        raise BadRequest(
            "There is no batch here; plan one with: dsocr batch plan WORKSPACE PATH..."
        )
    values: dict[str, Any] = json.loads(content)
    if values.pop("version") != VERSION:
        raise BadRequest("The workspace was written by another version of dsocr.")
    return BatchOptions(**{**values, "options": options_of(json.dumps(values["options"]))})


def add_part(store: Store, lines: Iterable[PlannedDocument | Unsupported], part: str) -> bool:
    """Writes one part of the plan, complete or not at all; False if there is one of that name."""
    rows = []
    for line in lines:
        values = {key: value for key, value in asdict(line).items() if value is not None}
        rows.append(json.dumps(values, ensure_ascii=False))
    return store.create(f"plan/{part}.jsonl", "\n".join(rows).encode())


def next_part(store: Store) -> str:
    return f"{len(store.keys('plan/')):06}"


class Plan:
    """The documents of all parts, by their groups in the order in which they were planned."""

    def __init__(self) -> None:
        self.groups: dict[str, list[PlannedDocument]] = {}
        self.unsupported: list[Unsupported] = []
        self._parts: set[str] = set()

    def refresh(self, store: Store) -> None:
        """Reads the parts that were added since."""
        for key in store.keys("plan/"):
            if key not in self._parts:
                self._parts.add(key)
                self._add((store.get(key) or b"").decode())

    @property
    def documents(self) -> dict[str, PlannedDocument]:
        """By id, without those of retries."""
        return {
            entry.id: entry
            for group in self.groups.values()
            for entry in group
            if not is_retry(entry.group)
        }

    def _add(self, content: str) -> None:
        for line in content.split("\n") if content else ():
            values = json.loads(line)
            if "reason" in values:
                self.unsupported.append(Unsupported(**values))
                continue
            if "pages" in values:
                values["pages"] = tuple(values["pages"])
            entry = PlannedDocument(**values)
            self.groups.setdefault(entry.group, []).append(entry)


def retry_group(part: str, number: int) -> str:
    return f"{part}r-{number:05}"


def is_retry(group: str) -> bool:
    return "r-" in group
