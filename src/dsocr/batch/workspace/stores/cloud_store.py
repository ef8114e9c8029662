"""A workspace in a bucket, and input files there. Needs the extra `cloud`.

Credentials and endpoints are those of the provider's environment variables, such as
`AWS_ACCESS_KEY_ID` and `AWS_ENDPOINT_URL`.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from dsocr.batch.workspace.stores.cloud_errors import is_missing_bucket, message_of
from dsocr.errors import BadRequest


@dataclass(frozen=True, slots=True)
class CloudFile:
    """An object below a prefix."""

    name: str
    """Its key relative to the prefix."""
    num_bytes: int
    tag: str
    """The provider's tag of the content; empty if there is none."""


class CloudStore:
    """Objects below a URL. `create` is a conditional write of the provider."""

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            import obstore
            from obstore.store import from_url
        except ImportError as error:
            raise BadRequest(
                f"{url} needs the extra cloud; install it with: pip install 'dsocr[cloud]'"
            ) from error
        self._obstore: Any = obstore
        with self._errors():
            self._store: Any = from_url(url)

    def get(self, key: str) -> bytes | None:
        with self._errors():
            try:
                return bytes(self._obstore.get(self._store, key).bytes())
            except FileNotFoundError as error:
                self._check_bucket(error)
                return None

    def open(self, key: str) -> BinaryIO | None:
        """A copy in a temporary file."""
        with self._errors():
            try:
                found = self._obstore.get(self._store, key)
            except FileNotFoundError as error:
                self._check_bucket(error)
                return None
            with contextlib.ExitStack() as stack:
                file = stack.enter_context(tempfile.TemporaryFile())
                for chunk in found.stream():
                    file.write(chunk)
                file.seek(0)
                stack.pop_all()
                return file

    def create(self, key: str, content: bytes | BinaryIO) -> bool:
        from obstore.exceptions import AlreadyExistsError

        # a conditional write has no parts: the provider needs all of it at once
        whole = content if isinstance(content, bytes) else content.read()
        with self._errors():
            try:
                self._obstore.put(self._store, key, whole, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
            return True

    def put(self, key: str, content: bytes) -> None:
        with self._errors():
            self._obstore.put(self._store, key, content)

    def keys(self, prefix: str) -> list[str]:
        return sorted(file.name for file in self.files(prefix))

    def files(self, prefix: str | None = None) -> Iterator[CloudFile]:
        with self._errors():
            for chunk in self._obstore.list(self._store, prefix):
                for found in chunk:
                    yield CloudFile(found["path"], found["size"], (found["e_tag"] or "").strip('"'))

    def delete(self, keys: Sequence[str]) -> None:
        with self._errors(), contextlib.suppress(FileNotFoundError):
            if keys:
                self._obstore.delete(self._store, list(keys))

    def _check_bucket(self, error: FileNotFoundError) -> None:
        """Raises `BadRequest` if the bucket is missing, not the object."""
        if is_missing_bucket(error):
            raise BadRequest(message_of(self._url, error)) from error

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, ValueError, OSError) as error:
            raise BadRequest(message_of(self._url, error)) from error
