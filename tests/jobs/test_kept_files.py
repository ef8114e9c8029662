"""Files that are named in later requests: in a folder, and in object storage for all hosts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from dsocr.jobs.files.kept_files import FileMissing, KeptFiles, kept_files
from dsocr.server.contracts.file_store import KEEP_SECONDS, FileNotKept, FileStore
from dsocr.server.received.uploads import Upload

Host = Callable[[], KeptFiles]


@pytest.fixture(params=["folder", "bucket"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    """Makes the files as another process or host has them."""
    url = f"{request.getfixturevalue('bucket')}/jobs" if request.param == "bucket" else ""
    return lambda: kept_files(tmp_path / "files", url)


def upload(folder: Path, content: bytes = b"content") -> Upload:
    path = folder / "received"
    path.write_bytes(content)
    return Upload("a.pdf", path, len(content))


def test_a_file_of_one_host_is_on_every_host(host: Host, tmp_path: Path) -> None:
    one, two = host(), host()
    received = upload(tmp_path)
    one.add("1", received.path, "facts")
    assert not received.path.exists()
    assert two.facts("1") == "facts" and [name for name, _ in two.ids()] == ["1"]
    two.copy("1", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"content"
    assert one.secret() == two.secret() == host().secret()
    assert [name for name, _ in one.ids()] == ["1"]  # the secret is no file

    two.delete("1")
    assert one.facts("1") is None and list(one.ids()) == []
    with pytest.raises(FileMissing):
        one.copy("1", tmp_path / "gone")


async def test_a_link_of_one_host_is_taken_by_another_until_the_file_is_deleted(
    host: Host, tmp_path: Path
) -> None:
    one, two = FileStore(host()), FileStore(host())
    file = one.add(upload(tmp_path), "ocr", "owner")
    url = one.link(file, "http://one.example", 1)
    found = two.linked(url)
    assert found == file == two.get(file.id, "owner")
    assert two.files("other") == [] and two.files(None) == [file]
    async with AsyncExitStack() as stack:
        assert two.open(found, tmp_path, stack).path.read_bytes() == b"content"
    two.delete(file.id, "owner")
    with pytest.raises(FileNotKept):
        one.linked(url)


def test_an_upload_deletes_files_that_are_too_old(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore(host())
    old = store.add(upload(tmp_path), "ocr", None)
    monkeypatch.setattr("dsocr.server.contracts.file_store.KEEP_SECONDS", -KEEP_SECONDS)
    new = store.add(upload(tmp_path), "ocr", None)
    assert {name for name, _ in host().ids()} == {new.id} != {old.id}
