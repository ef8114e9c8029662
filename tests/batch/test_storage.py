import os
import stat
import threading
from pathlib import Path

import pytest

from dsocr.batch.storage import write_output, write_stream
from dsocr.errors import BadRequest


def test_a_file_is_replaced_completely_and_no_temporary_file_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.md"
    write_output(path, b"one")
    write_output(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["a.md"]


def test_an_open_file_is_copied_from_its_start(tmp_path: Path) -> None:
    with (tmp_path / "source").open("w+b") as source:
        source.write(b"all of it")
        write_output(tmp_path / "copy", source)
    assert (tmp_path / "copy").read_bytes() == b"all of it"


def test_a_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    write_output(tmp_path / "a.md", b"one")
    (tmp_path / "b.md").write_bytes(b"one")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_an_output_that_cannot_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    taken = tmp_path / "a.md"
    (taken / "inside").mkdir(parents=True)
    with pytest.raises(BadRequest, match="cannot be written"):
        write_output(taken, b"one")
    assert os.listdir(tmp_path) == ["a.md"]


def test_a_link_is_written_through_also_to_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    link, target = tmp_path / "link.md", tmp_path / "other" / "a.md"
    link.symlink_to(target)
    for content in (b"one", b"two"):
        write_output(link, content)
        assert link.is_symlink()
        assert target.read_bytes() == content
    assert os.listdir(target.parent) == ["a.md"]


def test_a_named_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.md"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_output(pipe, b"one")
    reader.join()
    assert got == [b"one"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_pipe_without_a_reader_does_not_block(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.md"
    os.mkfifo(pipe)
    assert not write_stream(pipe, b"one")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert write_stream(pipe, b"one")
    assert os.read(reader, 10) == b"one"
    os.close(reader)


def test_a_device_is_written_to(tmp_path: Path) -> None:
    link = tmp_path / "link.md"
    link.symlink_to(os.devnull)
    assert write_stream(link, b"one")
    write_output(link, b"one")
    assert os.readlink(link) == os.devnull


@pytest.mark.parametrize("mode", [0o640, 0o600, 0o755])
def test_an_existing_file_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_output(path, b"new")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", mode)


def test_a_hard_link_stays_one(tmp_path: Path) -> None:
    path, other = tmp_path / "a.md", tmp_path / "b.md"
    path.write_bytes(b"a longer old text")
    other.hardlink_to(path)
    write_output(path, b"new")
    assert (other.read_bytes(), path.samefile(other)) == (b"new", True)


def test_a_descriptor_of_this_process_is_written_at_its_position(tmp_path: Path) -> None:
    path, link = tmp_path / "a.md", tmp_path / "link.md"
    with path.open("wb") as out:
        out.write(b"before ")
        out.flush()
        link.symlink_to(f"/proc/self/fd/{out.fileno()}")
        if not link.exists():
            pytest.skip("this system has no /proc/self/fd")
        write_output(link, b"text ")
        out.write(b"after")
    assert path.read_bytes() == b"before text after"
    assert link.is_symlink()
