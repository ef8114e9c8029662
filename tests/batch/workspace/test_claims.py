"""Claims and leases: one worker holds a group at one epoch, and lost workers are replaced."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dsocr.batch.workspace.claims import Claims, Heartbeat, Leases, machine, process_start
from dsocr.batch.workspace.stores.store import open_store
from dsocr.errors import BadRequest


def test_of_many_claims_at_once_one_has_the_group(tmp_path: Path) -> None:
    claimers = []
    for _ in range(8):
        heartbeat = Heartbeat(open_store(str(tmp_path)), 60)
        heartbeat.beat()
        claimers.append(Claims(open_store(str(tmp_path)), heartbeat))
    groups = [f"000000-{number:05}" for number in range(40)]

    def claim_all(claims: Claims) -> list[tuple[str, int]]:
        found = []
        while (claim := claims.claim(groups)) is not None:
            found.append((claim.group, claim.epoch))
        return found

    with ThreadPoolExecutor(8) as pool:
        claimed = [one for found in pool.map(claim_all, claimers) for one in found]

    assert sorted(claimed) == [(group, 1) for group in groups]


def test_a_silent_worker_of_another_machine_is_lost_after_its_lease(tmp_path: Path) -> None:
    store, now = open_store(str(tmp_path)), [0.0]
    values = {"machine": "other", "pid": 1, "start": "1", "lease": 60}
    store.put("workers/w", json.dumps({**values, "count": 1}).encode())
    leases = Leases(store, lambda: now[0])

    assert not leases.is_lost("w")
    now[0] = 59
    assert not leases.is_lost("w")
    store.put("workers/w", json.dumps({**values, "count": 2}).encode())
    now[0] = 100
    assert not leases.is_lost("w")
    now[0] = 161
    assert leases.is_lost("w")


def test_a_worker_of_this_machine_is_lost_when_its_process_has_ended(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    own = process_start(os.getpid())
    values = {"machine": machine(), "pid": os.getpid(), "lease": 60, "count": 1}
    store.put("workers/running", json.dumps({**values, "start": own}).encode())
    store.put("workers/ended", json.dumps({**values, "start": "before"}).encode())

    leases = Leases(store)

    assert [leases.is_lost(name) for name in ("running", "ended", "gone")] == [False, True, True]


def test_a_released_group_is_no_loss_and_a_lost_one_is(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    claims = Claims(store, Heartbeat(store, 60))  # without a heartbeat: lost for others
    first = claims.claim(["g"])
    assert first is not None
    claims.release(first)

    second = Claims(store, Heartbeat(store, 60)).claim(["g"])
    third = Claims(store, Heartbeat(store, 60)).claim(["g"])

    assert second is not None and (second.epoch, second.after_loss) == (2, False)
    assert third is not None and (third.epoch, third.after_loss) == (3, True)


def test_an_object_is_created_once_and_replaced_by_put(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    assert store.create("a/b/c", b"1") and not store.create("a/b/c", b"2")
    assert (store.get("a/b/c"), store.get("a/x")) == (b"1", None)
    store.put("a/b/c", b"3")
    assert (store.get("a/b/c"), store.keys("a/")) == (b"3", ["a/b/c"])
    store.delete(["a/b/c", "a/b/x"])
    assert store.keys("a/") == []
    assert [path.name for path in tmp_path.rglob("*")] == ["a"]


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(BadRequest, match="ftp://"):
        open_store("ftp://host/folder")
