"""Hands out the documents of claimed groups, and claims the next group when they run out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

from dsocr.batch.workspace.claims import Claims
from dsocr.batch.workspace.group import HeldGroup
from dsocr.batch.workspace.layout import Plan, PlannedDocument, ShardFormat
from dsocr.batch.workspace.shards import sealed_groups
from dsocr.batch.workspace.stores.store import Store

POLL_SECONDS = 1.0
"""How often groups that other workers hold are looked at, once no other group is left."""
WATCH_SECONDS = 5.0

Scan = Callable[[], None]
"""Adds new files to the plan; called on a thread."""


class GroupFeed:
    """The documents for one worker, over all groups that it can claim."""

    def __init__(
        self, store: Store, claims: Claims, format: ShardFormat, scan: Scan | None = None
    ) -> None:
        """With `scan` it does not end: new files are looked for."""
        self.held: list[HeldGroup] = []
        self._store, self._claims, self._format, self._scan = store, claims, format, scan
        self._plan = Plan()
        self._documents: Iterator[tuple[HeldGroup, PlannedDocument]] = iter(())
        self._one_at_a_time = asyncio.Lock()
        self._scanned_at = float("-inf")

    async def next(self) -> tuple[HeldGroup, PlannedDocument] | None:
        """A document to read; None when every group is sealed. Waits for other workers' groups."""
        async with self._one_at_a_time:
            while True:
                if (found := next(self._documents, None)) is not None:
                    return found
                group, is_complete = await asyncio.to_thread(self._claim)
                if group is not None:
                    self.held.append(group)
                    self._documents = iter([(group, entry) for entry in group.documents])
                elif is_complete and self._scan is None:
                    return None
                else:
                    await asyncio.sleep(POLL_SECONDS)

    async def document_done(self, group: HeldGroup) -> bool:
        """Seals the group after its last document; whether it did."""
        group.num_left -= 1
        if group.num_left:
            return False
        await asyncio.to_thread(group.seal)
        self.held.remove(group)
        return True

    def release(self) -> None:
        """Gives back the groups that are not sealed."""
        for group in self.held:
            self._claims.release(group.claim)
            group.close()
        self.held.clear()

    def _claim(self) -> tuple[HeldGroup | None, bool]:
        """The next group, and whether all groups are sealed or held by this worker."""
        if self._scan is not None and time.monotonic() - self._scanned_at > WATCH_SECONDS:
            self._scan()
            self._scanned_at = time.monotonic()
        self._plan.refresh(self._store)
        sealed = sealed_groups(self._store)
        held = {group.claim.group for group in self.held}
        wanted = [name for name in self._plan.groups if name not in sealed and name not in held]
        claim = self._claims.claim(wanted)
        if claim is None:
            return None, not wanted
        if claim.group in sealed_groups(self._store):  # sealed since it was listed
            return None, False
        group = HeldGroup(self._store, claim, self._plan.groups[claim.group], self._format)
        group.load()
        return group, False
