"""Results of documents in sealed shards. A page is parsed when it is asked for, and not kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, overload

from dsocr.batch.workspace.layout import BatchOptions, Plan, PlannedDocument, is_retry
from dsocr.batch.workspace.records import DocumentRecord, PageRecord, parse
from dsocr.batch.workspace.shards import open_shard
from dsocr.batch.workspace.stores.store import Store
from dsocr.errors import BadRequest
from dsocr.types import Document, PageResult

_BROKEN = "The shard with its pages is broken; dsocr batch verify says what to do."
MAX_OPEN = 8
"""Shards that stay open between two documents."""
Place = tuple[BinaryIO, int]
"""A shard, and where a record begins in it."""


@dataclass(slots=True)
class _Found:
    """The record of a document, and the places of those of its pages by their index."""

    record: DocumentRecord
    pages: dict[int, Place] = field(default_factory=dict)


class StoredPages(Sequence[PageResult]):
    """The pages of one document."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[PageResult]:
        return (page_at(place).result for place in self._places)

    @overload
    def __getitem__(self, index: int) -> PageResult: ...
    @overload
    def __getitem__(self, index: slice) -> list[PageResult]: ...
    def __getitem__(self, index: int | slice) -> PageResult | list[PageResult]:
        if isinstance(index, slice):
            return [page_at(place).result for place in self._places[index]]
        return page_at(self._places[index]).result


class Results:
    """The documents of sealed groups, one at a time. Results of retries stand for those that
    failed."""

    def __init__(
        self, store: Store, plan: Plan, sealed: dict[str, str], batch: BatchOptions
    ) -> None:
        self._store, self._sealed, self._batch = store, sealed, batch
        self._open: dict[str, tuple[contextlib.ExitStack, dict[str, _Found]]] = {}
        self._retries: dict[str, list[str]] = {}
        for group, entries in plan.groups.items():
            for entry in entries if is_retry(group) and group in sealed else ():
                self._retries.setdefault(entry.id, []).append(group)

    def document(self, entry: PlannedDocument) -> Document:
        """Its pages can be read until the next one is asked for. Raises `BadRequest` with the
        reason if it could not be opened, and for a broken shard."""
        self._close_all_but(MAX_OPEN)
        found = self._of(entry.group, entry)
        record, pages = found.record, dict(found.pages)
        for group in self._retries.get(entry.id, ()):
            again = self._of(group, entry)
            pages |= again.pages
            record = again.record if record.error is not None else record
        if record.error is not None:
            raise BadRequest(record.error.message)
        places = [pages[index] for index in record.pages]
        first = page_at(places[0]) if places else None
        return Document(
            entry.name.rpartition("/")[2],
            first.engine if first else "",
            first.model if first else "",
            self._batch.options,
            StoredPages(places),
        )

    def close(self) -> None:
        self._close_all_but(0)

    def _of(self, group: str, entry: PlannedDocument) -> _Found:
        if group not in self._open:
            with contextlib.ExitStack() as stack:
                try:
                    file = stack.enter_context(open_shard(self._store, self._sealed[group]))
                    found = _index(file)
                except ValueError as error:
                    raise BadRequest(f"{self._sealed[group]} is broken.") from error
                self._open[group] = (stack.pop_all(), found)
        record = self._open[group][1].get(entry.id)
        if record is None:
            raise BadRequest(f"{self._sealed[group]} has no record of it.")
        return record

    def _close_all_but(self, number: int) -> None:
        """The ones that were opened last stay."""
        for group in list(self._open)[: max(0, len(self._open) - number)]:
            self._open.pop(group)[0].close()


def page_at(place: Place) -> PageRecord:
    file, start = place
    file.seek(start)
    try:
        record = parse(file.readline())
    except ValueError as error:
        raise BadRequest(_BROKEN) from error
    if not isinstance(record, PageRecord):
        raise BadRequest(_BROKEN)
    return record


def _index(file: BinaryIO) -> dict[str, _Found]:
    """Of a shard; the records of pages are passed over."""
    found: dict[str, _Found] = {}
    while line := file.readline():
        record = parse(line)
        if not isinstance(record, DocumentRecord):
            raise ValueError("A page has no document before it.")
        found[record.document] = one = _Found(record)
        for index in record.pages:
            one.pages[index] = (file, file.tell())
            if not file.readline():
                raise ValueError("It was cut off.")
    return found
