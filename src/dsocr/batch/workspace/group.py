"""A claimed group while it is read: its write-once records, its tries, its seal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from dsocr.batch.workspace import shards
from dsocr.batch.workspace.claims import Claim
from dsocr.batch.workspace.layout import DOCUMENT_RECORD, PlannedDocument, ShardFormat
from dsocr.batch.workspace.records import (
    DocumentRecord,
    Record,
    document_bytes,
    parse,
)
from dsocr.batch.workspace.stores.spool import Spool
from dsocr.batch.workspace.stores.store import Store

MAX_TRIES = 2
"""After so many marked tries that ended their worker, the last one alone, a page is failed."""


class HeldGroup:
    """The records of a claimed group. Its methods block: call them on a thread."""

    def __init__(
        self, store: Store, claim: Claim, documents: Sequence[PlannedDocument], format: ShardFormat
    ) -> None:
        self.claim, self.documents = claim, documents
        self.num_left = len(documents)
        """Documents that are not done."""
        self._store, self._format = store, format
        self._records = Spool()
        self._tries: dict[str, int] = {}

    def load(self) -> None:
        """Reads the records and tries that earlier workers left."""
        if self.claim.epoch == 1:
            return
        for key in self._store.keys(f"pages/{self.claim.group}/"):
            content = self._store.get(key)
            if content is not None and _is_record(content):
                self._records.put(self._place(key), content)
            else:  # cut off by a power failure
                self._store.delete([key])
        for key in self._store.keys(f"tries/{self.claim.group}/"):
            place, _, number = self._place(key).rpartition(".")
            self._tries[place] = max(self._tries.get(place, 0), int(number))

    def opened(self, entry: PlannedDocument) -> DocumentRecord | None:
        """What an earlier worker recorded of the document."""
        key = f"{entry.id}/{DOCUMENT_RECORD}"
        record = parse(self._records.get(key)) if key in self._records else None
        return record if isinstance(record, DocumentRecord) else None

    def has_page(self, entry: PlannedDocument, index: int) -> bool:
        return _page(entry, index) in self._records

    def record_document(self, record: DocumentRecord) -> None:
        self._write(f"{record.document}/{DOCUMENT_RECORD}", document_bytes(record))

    def record_page(self, entry: PlannedDocument, index: int, content: bytes) -> None:
        self._write(_page(entry, index), content)

    def num_tries(self, entry: PlannedDocument, index: int) -> int:
        """In how many epochs after the first loss the page was started."""
        return self._tries.get(_page(entry, index), 0)

    def mark_try(self, entry: PlannedDocument, index: int) -> None:
        """Called before a page is read, if a worker was lost with the group."""
        if self.claim.after_loss:
            number = self.num_tries(entry, index) + 1
            self._store.create(f"tries/{self.claim.group}/{_page(entry, index)}.{number}", b"")

    def seal(self) -> None:
        """Writes the shard and removes the records in it."""
        shards.seal(self._store, self.claim.group, self._in_order(), self._format)
        remove_records(self._store, self.claim.group)
        self.close()

    def close(self) -> None:
        """Frees the temporary file. Called once no document of the group is read."""
        self._records.close()

    def _in_order(self) -> Iterator[bytes]:
        for entry in self.documents:
            yield self._records.get(f"{entry.id}/{DOCUMENT_RECORD}")
            record = self.opened(entry)
            assert record is not None
            yield from (self._records.get(_page(entry, index)) for index in record.pages)

    def _write(self, place: str, content: bytes) -> None:
        """The first record of a page stays: also the one of a worker that was taken for lost."""
        key = f"pages/{self.claim.group}/{place}"
        if not self._store.create(key, content):
            stored = self._store.get(key)
            content = content if stored is None else stored
        self._records.put(place, content)

    def _place(self, key: str) -> str:
        return key.split("/", 2)[2]


def remove_records(store: Store, group: str) -> None:
    """Of a sealed group."""
    store.delete(store.keys(f"pages/{group}/"))
    store.delete(store.keys(f"tries/{group}/"))


def _page(entry: PlannedDocument, index: int) -> str:
    return f"{entry.id}/{index:06}"


def _is_record(content: bytes) -> bool:
    record: Record | None = None
    with contextlib.suppress(ValueError):
        record = parse(content)
    return record is not None
