"""Sealed shards: all records of a group in one object, as JSON lines or as a Parquet table."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from dsocr.batch.workspace.layout import ShardFormat
from dsocr.batch.workspace.records import Record, parse, summarize
from dsocr.batch.workspace.store import Store
from dsocr.errors import BadRequest


def seal(store: Store, group: str, lines: Sequence[bytes], format: ShardFormat) -> bool:
    """Writes the shard of the group and its summary; False if it is sealed already."""
    content = b"\n".join(lines) + b"\n" if format == "jsonl" else _parquet(lines)
    created = store.create(f"shards/{group}.{format}", content)
    if created:
        store.create(f"done/{group}.json", json.dumps(summarize(list(map(parse, lines)))).encode())
    return created


def sealed_groups(store: Store) -> dict[str, str]:
    """The key of each shard by its group."""
    return {key[len("shards/") :].rpartition(".")[0]: key for key in store.keys("shards/")}


def read_shard(store: Store, key: str) -> Iterator[Record]:
    """Its records: each document's, followed by those of its pages in order. Raises `ValueError`
    for a broken shard."""
    content = store.get(key) or b""
    yield from map(parse, _rows(content) if key.endswith(".parquet") else content.splitlines())


def read_summary(store: Store, group: str, key: str) -> dict[str, Any]:
    """Of the shard `key`; made again if its worker was lost before it wrote it."""
    content = store.get(f"done/{group}.json")
    if content is None:
        summary = summarize(list(read_shard(store, key)))
        store.create(f"done/{group}.json", json.dumps(summary).encode())
        return summary
    values: dict[str, Any] = json.loads(content)
    return values


def check_format(format: ShardFormat) -> None:
    """Raises `BadRequest` without the package that the format needs."""
    if format == "parquet":
        _pyarrow()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise BadRequest(
            "Parquet shards need the extra parquet: pip install 'dsocr[parquet]'"
        ) from error
    return pyarrow, parquet


def _parquet(lines: Sequence[bytes]) -> bytes:
    """Columns to filter by, and each record as it is in JSON lines."""
    pyarrow, parquet = _pyarrow()
    rows = [_columns(line) for line in lines]
    kinds = {"page": pyarrow.int64()}
    names = ("document", "page", "text", "error", "record")
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in names])
    out = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), out)
    return out.getvalue()


def _columns(line: bytes) -> dict[str, Any]:
    values = json.loads(line)
    result = values.get("result") or {}
    error = result.get("error") or values.get("error") or {}
    return {
        "document": values["document"],
        "page": values.get("page"),
        "text": result.get("markdown"),
        "error": error.get("code"),
        "record": line.decode(),
    }


def _rows(content: bytes) -> list[str]:
    _, parquet = _pyarrow()
    table = parquet.read_table(io.BytesIO(content), columns=["record"])
    rows: list[str] = table.column("record").to_pylist()
    return rows
