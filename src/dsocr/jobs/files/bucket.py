"""Objects below a URL of S3, Google or Azure. Needs the extra `cloud`.

Credentials and endpoints are those of the provider's environment variables, such as
`AWS_ACCESS_KEY_ID` and `AWS_ENDPOINT_URL`. All methods block, and raise `StoreUnavailable`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from dsocr.errors import BadRequest, StoreUnavailable
from dsocr.jobs.files.storage import UnsupportedStorage

RANGE_BYTES = 16 << 20
"""A file is fetched in ranges: a lost connection costs one of them."""
RETRIES = {"max_retries": 5, "retry_timeout": timedelta(seconds=30)}


class Bucket:
    """Objects by key."""

    def __init__(self, url: str) -> None:
        """Raises `UnsupportedStorage`."""
        try:
            import obstore
        except ImportError as error:
            raise UnsupportedStorage(
                f"{url} needs the extra cloud; install it with: pip install 'dsocr[cloud]'"
            ) from error
        self._obstore: Any = obstore
        self._store = _open(obstore, url)

    def put(self, key: str, path: Path, attributes: Mapping[str, str] | None = None) -> None:
        """Stores a file, a large one in parts."""
        with self._errors():
            self._obstore.put(self._store, key, path, attributes=attributes)

    def create(self, key: str, content: bytes) -> bool:
        """Whether there was no such object; an existing one stays."""
        from obstore.exceptions import AlreadyExistsError

        with self._errors():
            try:
                self._obstore.put(self._store, key, content, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        return True

    def get(self, key: str) -> bytes | None:
        """None where there is no such object."""
        try:
            with self._errors():
                return bytes(self._obstore.get(self._store, key).bytes())
        except BadRequest:
            return None

    def fetch(self, key: str, path: Path) -> None:
        """Writes the object to a file. Raises `BadRequest` where there is none."""
        with self._errors(), path.open("wb") as out:
            size: int = self._obstore.head(self._store, key)["size"]
            for start in range(0, size, RANGE_BYTES):
                end = min(start + RANGE_BYTES, size)
                out.write(self._obstore.get_range(self._store, key, start=start, end=end))

    def delete_below(self, prefix: str) -> None:
        keys = [key for key, _ in self.list(prefix)]
        if keys:
            with self._errors():
                self._obstore.delete(self._store, keys)

    def list(self, prefix: str) -> Iterator[tuple[str, float]]:
        """Each key below the prefix, which is a whole part of a path, and when it was stored, in
        seconds since 1970."""
        with self._errors():
            for chunk in self._obstore.list(self._store, prefix):
                for found in chunk:
                    yield found["path"], found["last_modified"].timestamp()

    def sign(self, key: str, seconds: int) -> str:
        """A URL from which anyone gets the object for so long."""
        with self._errors():
            expires = timedelta(seconds=seconds)
            url: str = self._obstore.sign(self._store, "GET", key, expires_in=expires)
        return url

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except FileNotFoundError as error:
            raise BadRequest("The file is not in the storage any more.") from error
        except (BaseError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise StoreUnavailable(f"The storage cannot be used: {reason}") from error


def _open(obstore: Any, url: str) -> Any:
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    try:
        return from_url(url, retry_config=RETRIES)
    except (BaseError, ValueError) as error:
        raise UnsupportedStorage(f"{url} cannot be used: {error}") from error
