"""Adds documents to the plan of a workspace, and pages that are to be read again."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from dsocr.batch.workspace.layout import (
    Plan,
    PlannedDocument,
    Unsupported,
    add_part,
    next_part,
    retry_group,
)
from dsocr.batch.workspace.sources import FoundFile, tag_contents
from dsocr.batch.workspace.stores.store import Store

MAX_GROUP = 100
"""Most documents that a worker claims at once."""
WANTED_GROUPS = 64
"""A small batch is split in so many groups, so that several workers have some."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What one run of the planner found."""

    documents: int
    """Added to the plan."""
    known: int
    """Planned before."""
    duplicates: int
    unsupported: int


def plan_documents(store: Store, files: Iterable[FoundFile]) -> Planned:
    """Adds the files that are not in the plan yet, as one part. Several planners may run."""
    found = list({file.uri: file for file in files}.values())
    while True:
        plan = Plan()
        plan.refresh(store)
        known = {entry.uri for entry in plan.documents.values()}
        known |= {entry.uri for entry in plan.unsupported}
        new = [file for file in found if file.uri not in known]
        part = next_part(store)
        tag_contents(new)
        documents = _documents([file for file in new if not file.unsupported], plan, part)
        others = [Unsupported(file.uri, file.unsupported) for file in new if file.unsupported]
        if not new or add_part(store, [*documents, *others], part):
            duplicates = sum(entry.duplicate_of is not None for entry in documents)
            return Planned(len(documents), len(found) - len(new), duplicates, len(others))


def plan_retry(store: Store, pages: dict[PlannedDocument, tuple[int, ...] | None]) -> bool:
    """Adds these pages, or whole documents, to be read again. False if another planner was
    first."""
    part = next_part(store)
    size = _group_size(len(pages))
    entries = [
        replace(entry, group=retry_group(part, number // size), pages=wanted)
        for number, (entry, wanted) in enumerate(pages.items())
    ]
    return add_part(store, entries, part)


def document_id(uri: str) -> str:
    return hashlib.sha256(uri.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _documents(files: Sequence[FoundFile], plan: Plan, part: str) -> list[PlannedDocument]:
    size = _group_size(len(files))
    names = {entry.name for entry in plan.documents.values()}
    first: dict[str, str] = {}
    documents = []
    for number, file in enumerate(files):
        id = document_id(file.uri)
        name = _unique(_safe(file.below), id, names)
        names.add(name)
        original = first.setdefault(file.tag, id) if file.tag else id
        group = f"{part}-{number // size:05}"
        same = None if original == id else original
        documents.append(PlannedDocument(id, file.uri, name, group, file.num_bytes, same))
    return documents


def _group_size(num_documents: int) -> int:
    return min(MAX_GROUP, max(1, -(-num_documents // WANTED_GROUPS)))


def _safe(below: str) -> str:
    """The path without what could lead out of the export folder."""
    parts = [part for part in PurePosixPath(below).parts if part not in ("/", "..", ".")]
    return "/".join(parts) or "document"


def _unique(name: str, id: str, names: set[str]) -> str:
    return next(candidate for candidate in _candidates(name, id) if candidate not in names)


def _candidates(name: str, id: str) -> Iterator[str]:
    path = PurePosixPath(name)
    yield name
    yield str(path.with_name(f"{path.stem}-{id[:8]}{path.suffix}"))
    for number in itertools.count(2):
        yield str(path.with_name(f"{path.stem}-{id[:8]}-{number}{path.suffix}"))
