"""The state of a workspace: counts, failed pages, and records that are missing or doubled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dsocr.batch.workspace.claims import Leases
from dsocr.batch.workspace.layout import DOCUMENT_RECORD, Plan, PlannedDocument, is_retry
from dsocr.batch.workspace.records import DocumentRecord, PageRecord
from dsocr.batch.workspace.shards import read_shard, read_summary, sealed_groups
from dsocr.batch.workspace.stores.store import Store


@dataclass(frozen=True, slots=True)
class Failure:
    """A page that failed, or a document that could not be opened."""

    document: PlannedDocument
    page: int | None
    """Index from 0; None for the document."""
    code: str
    message: str
    retryable: bool


@dataclass(slots=True)
class Status:
    """The state of a batch."""

    documents: int = 0
    documents_done: int = 0
    """In sealed groups, also those with failures."""
    pages_done: int = 0
    """Pages with a record, also failed ones and those of groups that are not sealed."""
    flagged: int = 0
    groups: int = 0
    groups_done: int = 0
    workers: int = 0
    duplicates: int = 0
    unsupported: int = 0
    failures: list[Failure] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        return self.groups_done == self.groups


def read_status(store: Store) -> Status:
    """The failures are those that no later retry has read."""
    plan = Plan()
    plan.refresh(store)
    sealed = sealed_groups(store)
    documents = plan.documents.values()
    status = Status(
        documents=len(documents),
        groups=len(plan.groups),
        workers=_num_workers(store),
        duplicates=sum(entry.duplicate_of is not None for entry in documents),
        unsupported=len(plan.unsupported),
    )
    failures: dict[tuple[str, int | None], Failure] = {}
    for group, entries in plan.groups.items():
        if group in sealed:
            _add_group(status, failures, group, entries, read_summary(store, group, sealed[group]))
    status.pages_done += sum(
        key.split("/")[1] not in sealed and not key.endswith(f"/{DOCUMENT_RECORD}")
        for key in store.keys("pages/")
    )
    status.failures = list(failures.values())
    return status


def pages_to_retry(
    status: Status, codes: set[str] | None = None
) -> dict[PlannedDocument, tuple[int, ...] | None]:
    """The failed pages by document; None where the document itself failed."""
    wanted: dict[PlannedDocument, tuple[int, ...] | None] = {}
    for failure in status.failures:
        if codes is not None and failure.code not in codes:
            continue
        earlier = wanted.get(failure.document, ())
        if failure.page is None or earlier is None:
            wanted[failure.document] = None
        else:
            wanted[failure.document] = (*earlier, failure.page)
    return wanted


def find_problems(store: Store) -> Iterator[str]:
    """A line for each group that is not sealed, and each record missing, doubled or unknown."""
    plan = Plan()
    plan.refresh(store)
    sealed = sealed_groups(store)
    for group, entries in plan.groups.items():
        if group not in sealed:
            yield f"group {group}: not sealed ({len(entries)} documents)"
            continue
        try:
            yield from _problems_of(group, entries, store, sealed[group])
        except ValueError:
            yield f"group {group}: {sealed[group]} is broken"
    for group in sealed.keys() - plan.groups.keys():
        yield f"group {group}: not in the plan"


def _problems_of(
    group: str, entries: list[PlannedDocument], store: Store, key: str
) -> Iterator[str]:
    wanted: Counter[tuple[str, int | None]] = Counter({(entry.id, None): 1 for entry in entries})
    found: Counter[tuple[str, int | None]] = Counter()
    for record in read_shard(store, key):
        if isinstance(record, DocumentRecord):
            found[record.document, None] += 1
            wanted.update((record.document, index) for index in record.pages)
        elif isinstance(record, PageRecord):
            found[record.document, record.result.index] += 1
    for document, page in sorted(wanted.keys() | found.keys(), key=str):
        num_wanted, num_found = wanted[document, page], found[document, page]
        if num_wanted != num_found:
            place = f"document {document}" if page is None else f"{document} page {page + 1}"
            yield f"group {group}: {place}: {num_found} records instead of {num_wanted}"


def _add_group(
    status: Status,
    failures: dict[tuple[str, int | None], Failure],
    group: str,
    entries: list[PlannedDocument],
    summary: dict[str, Any],
) -> None:
    status.groups_done += 1
    status.flagged += summary["flagged"]
    if is_retry(group):
        for entry in entries:
            _forget(failures, entry)
    else:
        status.documents_done += len(entries)
        status.pages_done += summary["pages"]
    by_id = {entry.id: entry for entry in entries}
    for values in summary["failures"]:
        document = by_id[values["document"]]
        rest = {key: value for key, value in values.items() if key != "document"}
        failures[document.id, values["page"]] = Failure(document, **rest)


def _forget(failures: dict[tuple[str, int | None], Failure], entry: PlannedDocument) -> None:
    """Those that the retry `entry` has read again."""
    for id, page in list(failures):
        if id == entry.id and (entry.pages is None or page is None or page in entry.pages):
            del failures[id, page]


def _num_workers(store: Store) -> int:
    leases = Leases(store)
    return sum(not leases.is_lost(key.split("/")[1]) for key in store.keys("workers/"))
