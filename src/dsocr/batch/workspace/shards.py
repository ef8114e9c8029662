"""Sealed shards: all records of a group in one object, as JSON lines or as a Parquet table.

Shards are written and read line by line: memory does not grow with them.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from dsocr.batch.workspace.layout import ShardFormat
from dsocr.batch.workspace.records import Record, parse, summarize
from dsocr.batch.workspace.stores.store import Store
from dsocr.errors import BadRequest

ROWS_AT_ONCE = 500
"""Rows of a Parquet shard that are in memory at the same time."""


def seal(store: Store, group: str, lines: Iterable[bytes], format: ShardFormat) -> bool:
    """Writes the shard of the group and its summary; False if it is sealed already."""
    with tempfile.TemporaryFile() as file:
        records = _written(lines, file, format)
        summary = summarize(records)
        file.seek(0)
        created = store.create(f"shards/{group}.{format}", file)
    if created:
        store.create(f"done/{group}.json", json.dumps(summary).encode())
    return created


def sealed_groups(store: Store) -> dict[str, str]:
    """The key of each shard by its group."""
    return {key[len("shards/") :].rpartition(".")[0]: key for key in store.keys("shards/")}


@contextlib.contextmanager
def open_shard(store: Store, key: str) -> Iterator[BinaryIO]:
    """Its records as JSON lines: each document's, followed by those of its pages in order."""
    with contextlib.ExitStack() as stack:
        file = store.open(key)
        if file is None:
            raise BadRequest(f"The workspace has no {key} any more.")
        stack.enter_context(file)
        if key.endswith(".parquet"):
            rows = stack.enter_context(tempfile.TemporaryFile())
            rows.writelines(row.encode() + b"\n" for row in _rows(file))
            rows.seek(0)
            file = rows
        yield file


def read_shard(store: Store, key: str) -> Iterator[Record]:
    """The records of a shard. Raises `ValueError` for a broken one."""
    with open_shard(store, key) as file:
        yield from map(parse, file)


def read_summary(store: Store, group: str, key: str) -> dict[str, Any]:
    """Of the shard `key`; made again if its worker was lost before it wrote it, or it is broken.
    Raises `BadRequest` for a broken shard."""
    content = store.get(f"done/{group}.json")
    if content is not None:
        with contextlib.suppress(ValueError):
            values: dict[str, Any] = json.loads(content)
            return values
    try:
        summary = summarize(read_shard(store, key))
    except ValueError as error:
        raise BadRequest(f"{key} is broken; dsocr batch verify says what to do.") from error
    store.put(f"done/{group}.json", json.dumps(summary).encode())
    return summary


def check_format(format: ShardFormat) -> None:
    """Raises `BadRequest` without the package that the format needs."""
    if format == "parquet":
        _pyarrow()


def _written(lines: Iterable[bytes], file: BinaryIO, format: ShardFormat) -> Iterator[Record]:
    """Writes the lines as the records are asked for."""
    if format == "jsonl":
        for line in lines:
            file.write(line + b"\n")
            yield parse(line)
        return
    pyarrow, parquet = _pyarrow()
    kinds = {"page": pyarrow.int64()}
    names = ("document", "page", "text", "error", "record")
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in names])
    with parquet.ParquetWriter(file, schema) as out:
        left = iter(lines)
        while some := list(itertools.islice(left, ROWS_AT_ONCE)):
            rows = [_columns(line) for line in some]
            out.write_table(pyarrow.Table.from_pylist(rows, schema=schema))
            yield from map(parse, some)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise BadRequest(
            "Parquet shards need the extra parquet: pip install 'dsocr[parquet]'"
        ) from error
    return pyarrow, parquet


def _columns(line: bytes) -> dict[str, Any]:
    """Columns to filter by, and the record as it is in JSON lines."""
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


def _rows(file: BinaryIO) -> Iterator[str]:
    """Raises `ValueError` for what is no Parquet table of records."""
    pyarrow, parquet = _pyarrow()
    try:
        for batch in parquet.ParquetFile(file).iter_batches(ROWS_AT_ONCE, columns=["record"]):
            yield from batch.column(0).to_pylist()
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError("It is not a table of records.") from error
