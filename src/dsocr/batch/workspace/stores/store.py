"""Where a workspace keeps its objects: a local folder, or a bucket with the extra `cloud`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from dsocr.batch.workspace.stores.local_store import LocalStore
from dsocr.errors import BadRequest

CLOUD_SCHEMES = ("s3://", "gs://", "az://")


class Store(Protocol):
    """Objects by their keys, such as `claims/000000-00001.000001`. Raises `DsocrError`."""

    def get(self, key: str) -> bytes | None:
        """None if there is no such object."""

    def open(self, key: str) -> BinaryIO | None:
        """The object as a file at its start, which the caller closes; None if it is not there."""

    def create(self, key: str, content: bytes | BinaryIO) -> bool:
        """Writes a new object, completely or not at all. False, and nothing is written, if there
        is one: of several writers exactly one gets True. A file is read from where it stands."""

    def put(self, key: str, content: bytes) -> None:
        """Writes the object, or replaces it."""

    def keys(self, prefix: str) -> list[str]:
        """All keys below `prefix`, which ends with a slash, in order."""

    def delete(self, keys: Sequence[str]) -> None:
        """Without an error for what is not there."""


def is_cloud(location: str) -> bool:
    return location.startswith(CLOUD_SCHEMES)


def open_store(location: str) -> Store:
    """The store at a path or a URL. Raises `BadRequest` for an unknown scheme, or without
    the extra."""
    if is_cloud(location):
        from dsocr.batch.workspace.stores.cloud_store import CloudStore  # needs an extra

        return CloudStore(location)
    if "://" in location:
        known = ", ".join(CLOUD_SCHEMES)
        raise BadRequest(f"{location} is neither a folder nor one of {known}")
    return LocalStore(Path(location))
