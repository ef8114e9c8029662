"""Records on disk: what was put last under a key is what is read."""

from __future__ import annotations

import pytest

from dsocr.batch.workspace.stores import spool
from dsocr.batch.workspace.stores.spool import Spool


def test_contents_are_read_back_in_any_order_also_from_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spool, "MEMORY_BYTES", 100)
    records = Spool()
    for number in range(50):
        records.put(str(number), b"%d" % number * 10)
    records.put("7", b"again")
    assert records.get("49") == b"49" * 10
    assert records.get("0") == b"0" * 10
    assert records.get("7") == b"again"
    assert "3" in records and "50" not in records
    records.close()
