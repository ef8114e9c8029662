"""Downloads weights from a model hub: lists, fetches, resumes, checks. Knows no command line.

A file is written to `NAME.part` and renamed once its hash equals the hub's record. Files are
fetched with `http_get`, because `snapshot_download` starts an interrupted file over.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, BinaryIO

from dsocr.errors import DiskFull, DsocrError

WANTED = ("*.json", "*.safetensors", "tokenizer*", "LICENSE*")
"""What the native engine needs of a repository, and its licence: no code, no images."""
SPARE_BYTES = 64 << 20
"""Free space to leave on the disk."""
CHUNK_BYTES = 4 << 20

OnBytes = Callable[[int], None]
"""Receives the number of bytes added; negative when a damaged download is discarded."""


class DownloadFailed(DsocrError):
    """The weights could not be downloaded."""

    code = "download_failed"
    retryable = True


@dataclass(frozen=True, slots=True)
class HubFile:
    """The hub's record of a file."""

    name: str
    size: int
    sha256: str | None
    """Of files in large file storage; None of others."""
    git_sha1: str | None
    """Git blob id of a file outside large file storage; None of others."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository at one commit."""

    repo: str
    commit: str
    files: tuple[HubFile, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def look_up(repo: str, revision: str | None = None, *, endpoint: str | None = None) -> Snapshot:
    """Lists the files to fetch. `endpoint` None: HF_ENDPOINT, else the public hub.

    Raises `DownloadFailed`.
    """
    from huggingface_hub import HfApi

    with _translated(repo):
        info = HfApi(endpoint=endpoint).model_info(repo, revision=revision, files_metadata=True)
    files = tuple(
        HubFile(
            name=entry.rfilename,
            size=entry.size or 0,
            sha256=entry.lfs.sha256 if entry.lfs else None,
            git_sha1=None if entry.lfs else entry.blob_id,
        )
        for entry in info.siblings or ()
        if "/" not in entry.rfilename and any(fnmatch(entry.rfilename, glob) for glob in WANTED)
    )
    if not any(file.name.endswith(".safetensors") for file in files) or info.sha is None:
        raise DownloadFailed(f"{repo} has no weights: no *.safetensors file.")
    return Snapshot(repo, info.sha, files)


def bytes_missing(snapshot: Snapshot, folder: Path) -> int:
    """Bytes still to fetch, by file size alone."""
    return sum(
        file.size - _size(_part(folder, file))
        for file in snapshot.files
        if _size(folder / file.name) != file.size
    )


def check_disk_space(snapshot: Snapshot, folder: Path) -> None:
    """Raises `DiskFull` before the first byte is fetched."""
    needed = bytes_missing(snapshot, folder) + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskFull(
            f"{folder} has {free / 1e9:.1f} GB free; the weights need {needed / 1e9:.1f} GB."
        )


def fetch(
    snapshot: Snapshot,
    file: HubFile,
    folder: Path,
    *,
    on_bytes: OnBytes = lambda count: None,
    endpoint: str | None = None,
) -> bool:
    """Fetches a file into `folder`. False when it is there already with the right hash.

    Resumes an interrupted download. Raises `DownloadFailed` when the hash differs from the hub's
    record also after a second try from the start.
    """
    whole, part = folder / file.name, _part(folder, file)
    if _size(whole) == file.size and matches(whole, file):
        on_bytes(file.size)
        return False
    resumed = _size(part)
    if resumed > file.size:
        part.unlink()
        resumed = 0
    on_bytes(resumed)
    for _ in range(2):
        _receive(snapshot, file, part, on_bytes=on_bytes, endpoint=endpoint)
        if matches(part, file):
            part.replace(whole)
            return True
        on_bytes(-_size(part))
        part.unlink()
    raise DownloadFailed(
        f"{file.name} was damaged twice in transfer: its hash differs from the hub's."
    )


def matches(path: Path, file: HubFile) -> bool:
    """Whether the file equals the hub's record: by size, and by hash where there is one."""
    if _size(path) != file.size:
        return False
    digest = hashlib.sha256() if file.sha256 else hashlib.sha1(usedforsecurity=False)
    if not file.sha256:
        digest.update(b"blob %d\0" % file.size)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    expected = file.sha256 or file.git_sha1
    return expected is None or digest.hexdigest() == expected


def _receive(
    snapshot: Snapshot, file: HubFile, part: Path, *, on_bytes: OnBytes, endpoint: str | None
) -> None:
    from huggingface_hub import get_token, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()  # progress goes to `on_bytes`
    # With compression a small file has no content length and cannot be resumed.
    headers = {"Accept-Encoding": "identity"}
    if token := get_token():
        headers["Authorization"] = f"Bearer {token}"
    url = hf_hub_url(snapshot.repo, file.name, revision=snapshot.commit, endpoint=endpoint)
    with _translated(snapshot.repo), part.open("ab") as stream:
        counted: Any = _Counted(stream, on_bytes)
        http_get(
            url,
            counted,
            resume_size=stream.tell(),
            headers=headers,
            expected_size=file.size,
            displayed_filename=file.name,
        )


class _Counted:
    """The part of a file's interface that `http_get` uses; reports what is written."""

    def __init__(self, stream: BinaryIO, on_bytes: OnBytes) -> None:
        self._stream = stream
        self._on_bytes = on_bytes

    def write(self, chunk: bytes) -> int:
        self._on_bytes(len(chunk))
        return self._stream.write(chunk)

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, position: int) -> int:
        return self._stream.seek(position)

    def truncate(self) -> int:
        """Called when the server does not resume and sends the whole file."""
        position = self._stream.tell()
        self._stream.seek(0, 2)
        self._on_bytes(position - self._stream.tell())
        return self._stream.truncate(self._stream.seek(position))


@contextmanager
def _translated(repo: str) -> Iterator[None]:
    """Translates exceptions of the hub's client; messages say what to do."""
    from huggingface_hub import errors
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # its client's

    try:
        yield
    except errors.OfflineModeIsEnabled as error:
        raise DownloadFailed(
            "HF_HUB_OFFLINE is set, so nothing is downloaded. Unset it and try again."
        ) from error
    except errors.GatedRepoError as error:
        raise DownloadFailed(
            f"The terms of {repo} must be accepted on its page. Then set HF_TOKEN."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise DownloadFailed(f"{repo} has no such revision. Check --revision.") from error
    except errors.RepositoryNotFoundError as error:
        raise DownloadFailed(
            f"The hub has no model {repo}, or it is private. For a private model set HF_TOKEN."
        ) from error
    except errors.EntryNotFoundError as error:
        raise DownloadFailed(f"The hub lists a file of {repo} that it does not have.") from error
    except errors.HFValidationError as error:
        raise DownloadFailed(f"{repo!r} is not a model name. Write it as owner/model.") from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        raise DownloadFailed(
            f"The hub answered {status}. Run the command again to resume."
        ) from error
    except HTTPError as error:
        raise DownloadFailed(
            f"The hub cannot be reached ({type(error).__name__}). Run the command again to resume."
        ) from error
    except OSError as error:
        if error.errno == 28:  # ENOSPC
            raise DiskFull from error
        raise DownloadFailed(f"{error}. Run the command again to resume.") from error


def _part(folder: Path, file: HubFile) -> Path:
    return folder / f"{file.name}.part"


def _size(path: Path) -> int:
    """0 for a missing file."""
    return path.stat().st_size if path.is_file() else 0
