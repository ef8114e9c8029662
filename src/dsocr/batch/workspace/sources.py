"""Finds input files in folders, patterns and buckets, and fetches the files of buckets."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dsocr.batch.inputs import Input, gather
from dsocr.batch.workspace.stores.store import is_cloud, open_store
from dsocr.errors import BadRequest, DsocrError
from dsocr.pages.signature import file_type, is_named_as_document

HASH_CHUNK = 1 << 20


@dataclass(slots=True)
class FoundFile:
    """An input file before it is planned."""

    uri: str
    below: str
    """Its path relative to the given folder or prefix, with forward slashes."""
    num_bytes: int
    tag: str = ""
    """Equal for files of equal content; empty where only this file has its size."""
    unsupported: str = ""
    """Why it is not a document; empty if it seems to be one."""


def find_files(inputs: Sequence[str], *, leave_out: Path | None = None) -> Iterator[FoundFile]:
    """All files in the given order. `leave_out` is the workspace, which may be inside a folder.

    Raises `BadRequest` for a pattern without matches, a missing file, or an unknown URL.
    """
    for location in inputs:
        if is_cloud(location):
            yield from _in_bucket(location)
        elif "://" in location:
            raise BadRequest(f"{location}: files are read from folders, s3://, gs:// and az://.")
        else:
            for entry in gather([location], leave_out=leave_out):
                yield _local(entry)


def read_list(path: Path) -> list[str]:
    """The inputs in a text file, one a line; empty lines are left out."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} cannot be read as a list of files: {error}.") from error
    return [line for line in lines if line.strip()]


def tag_contents(found: Sequence[FoundFile]) -> None:
    """Hashes the local files whose size another one has, so that duplicates can be noted."""
    times = Counter(file.num_bytes for file in found if not is_cloud(file.uri))
    for file in found:
        if not file.tag and times[file.num_bytes] > 1 and not file.unsupported:
            with contextlib.suppress(OSError):  # reported when the document is read
                file.tag = _hash(Path(file.uri))


@contextlib.contextmanager
def local_copy(uri: str) -> Iterator[Path]:
    """The file as a path; a file of a bucket is fetched for the time of the context.

    Raises `BadRequest` if a bucket does not have it.
    """
    if not is_cloud(uri):
        yield Path(uri)
        return
    parent, _, name = uri.rpartition("/")
    content = open_store(parent).get(name)
    if content is None:
        raise BadRequest(f"{uri} does not exist.")
    with tempfile.TemporaryDirectory(prefix="dsocr-") as folder:
        path = Path(folder) / f"file{PurePosixPath(name).suffix}"
        path.write_bytes(content)
        del content
        yield path


def _local(entry: Input) -> FoundFile:
    path = entry.path.absolute()
    found = FoundFile(str(path), entry.below.as_posix(), 0)
    try:
        found.num_bytes = path.stat().st_size
        file_type(path)
    except DsocrError as error:
        if not (entry.named or is_named_as_document(entry.below)):
            found.unsupported = error.message
    except OSError as error:
        if entry.named:
            raise BadRequest(f"{path} cannot be read: {error.strerror}.") from error
    return found


def _in_bucket(url: str) -> Iterator[FoundFile]:
    from dsocr.batch.workspace.stores.cloud_store import CloudStore

    prefix = url.rstrip("/")
    num_found = 0
    for file in CloudStore(prefix).files():
        num_found += 1
        supported = is_named_as_document(Path(file.name))
        reason = "" if supported else "Its name does not end like that of a document."
        uri = f"{prefix}/{file.name}"
        yield FoundFile(uri, file.name, file.num_bytes, file.tag, reason)
    if not num_found:
        raise BadRequest(f"There is no file below {url}.")


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(HASH_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
