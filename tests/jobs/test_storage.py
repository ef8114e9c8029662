"""Files of jobs in object storage, which several hosts share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx2 as httpx
import pytest

from dsocr.errors import BadRequest, StoreUnavailable
from dsocr.jobs.files.cloud import RECEIVING_SECONDS, CloudStorage
from dsocr.jobs.files.copies import UNUSED_SECONDS, LocalCopies
from dsocr.jobs.files.job_files import JobFiles
from dsocr.jobs.files.storage import ORPHAN_SECONDS, NoObjectStorage, is_cloud_url

Host = Callable[[str], CloudStorage]


@pytest.fixture
def host(tmp_path: Path, bucket: str) -> Host:
    """A host with a folder of its own; its name is that of its worker."""

    def make(name: str) -> CloudStorage:
        storage = CloudStorage(f"{bucket}/jobs", LocalCopies(tmp_path / name), name)
        storage.open()
        return storage

    (tmp_path / "incoming").mkdir()
    return make


def upload(folder: Path, content: bytes) -> Path:
    path = folder / "incoming" / "1"
    path.write_bytes(content)
    return path


def later(seconds: float) -> Callable[[], float]:
    return lambda: time.time() + seconds


@pytest.mark.slow
def test_a_file_that_one_host_stored_is_on_every_host(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dsocr.jobs.files.bucket.RANGE_BYTES", 1000)
    content = os.urandom(12_345)
    one, two = host("one"), host("two")
    one.store("job", [upload(tmp_path, content)])
    for storage in (one, two):
        path = storage.path("job", 0)
        assert path.read_bytes() == content
        before = path.stat()
        assert storage.path("job", 0).stat().st_mtime_ns == before.st_mtime_ns
        assert path.stat().st_ino == before.st_ino
    two.delete("job")
    with pytest.raises(BadRequest, match="not in the storage"):
        two.path("job", 0)


@pytest.mark.slow
def test_files_that_a_live_host_is_storing_are_no_orphans(host: Host, tmp_path: Path) -> None:
    one, two = host("one"), host("two")
    one.store("job", [upload(tmp_path, b"a")])
    soon, much_later = later(2 * ORPHAN_SECONDS), later(2 * RECEIVING_SECONDS)
    assert two.old_jobs((), time.time) == []
    assert two.old_jobs(["one", "three"], soon) == []
    assert one.old_jobs((), soon) == []
    assert two.old_jobs(["three"], soon) == ["job"]
    assert two.old_jobs(["one"], much_later) == ["job"]


@pytest.mark.slow
def test_a_picture_is_stored_once_and_goes_with_its_job(host: Host) -> None:
    one, two = host("one"), host("two")
    key = ("job", 3, None, 0)
    assert one.picture(key) is None
    one.store_picture(key, b"first")
    two.store_picture(key, b"second")
    assert two.picture(key) == b"first"
    assert two.picture(("job", 3, 400, 0)) is None
    one.delete("job")
    assert two.picture(key) is None


@pytest.mark.slow
def test_a_link_gives_the_file_under_its_name_without_a_key(tmp_path: Path, bucket: str) -> None:
    files = JobFiles(tmp_path, "1", quota_mb=0, min_free_mb=0, url=bucket)
    files.open()
    url = files.link(
        "job", lambda out: out.write(b"# text") and None, "a é.md", "text/markdown", 60
    )
    answer = httpx.get(url)
    assert (answer.content, answer.headers["content-type"]) == (b"# text", "text/markdown")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''a%20%C3%A9.md"


@pytest.mark.slow
def test_a_storage_that_cannot_be_reached_is_said_to_be_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr("dsocr.jobs.files.bucket.RETRIES", {"max_retries": 0})
    storage = CloudStorage(bucket, LocalCopies(tmp_path / "copies"), "one")
    storage.open()
    with pytest.raises(StoreUnavailable):
        storage.path("job", 0)
    assert storage.picture(("job", 0, None, 0)) is None
    storage.store_picture(("job", 0, None, 0), b"")
    storage.delete("job")


def test_a_folder_has_no_links(tmp_path: Path) -> None:
    files = JobFiles(tmp_path, "1", quota_mb=0, min_free_mb=0)
    files.open()
    with pytest.raises(NoObjectStorage):
        files.link("job", lambda out: None, "a.md", "text/markdown", 60)


def test_a_copy_is_fetched_once_and_deleted_when_it_is_not_used(tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path / "copies")
    copies.open()
    fetched: list[Path] = []

    def fetch(path: Path) -> None:
        fetched.append(path)
        path.write_bytes(b"content")

    for _ in range(2):
        assert copies.get("job", 0, fetch).read_bytes() == b"content"
    copies.trim(later(UNUSED_SECONDS / 2))
    copies.get("job", 0, fetch)
    assert len(fetched) == 1
    copies.trim(later(2 * UNUSED_SECONDS))
    assert list((tmp_path / "copies").iterdir()) == []
    copies.get("job", 0, fetch)
    assert len(fetched) == 2


def test_a_copy_that_could_not_be_fetched_leaves_nothing(tmp_path: Path) -> None:
    copies = LocalCopies(tmp_path / "copies")
    copies.open()

    def fail(path: Path) -> None:
        path.write_bytes(b"a part")
        raise StoreUnavailable()

    with pytest.raises(StoreUnavailable):
        copies.get("job", 0, fail)
    assert list((tmp_path / "copies" / "job").iterdir()) == []


@pytest.mark.parametrize(
    ("url", "is_cloud"),
    [
        ("s3://files", True),
        ("gs://files/a/b", True),
        ("az://files/", True),
        ("s3://", False),
        ("s3:///a", False),
        ("ftp://files", False),
        ("files", False),
    ],
)
def test_the_url_of_a_storage_names_a_bucket(url: str, is_cloud: bool) -> None:
    assert is_cloud_url(url) is is_cloud
