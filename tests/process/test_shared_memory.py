from __future__ import annotations

import array
import fcntl
import gc
import mmap
import os
import resource
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsocr.process import child, shared_memory
from dsocr.process.child import Channel, Child, ChildDied, Header
from dsocr.process.shared_memory import SharedBlock, share
from tests.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.skipif(not shared_memory.CAN_SHARE, reason="needs memfd of Linux")

SIZE = 5000
_SHARED = 1 << 63


@pytest.fixture
def channels() -> Iterator[tuple[Channel, socket.socket]]:
    """A channel, and the socket at its other side."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours, max_payload_bytes=SIZE), theirs


def open_files() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def send(sock: socket.socket, payload_bytes: int, *descriptors: int) -> None:
    """A frame with an empty header."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
    sock.sendmsg([struct.pack("!IQ", 2, payload_bytes) + b"{}"], rights if descriptors else [])


def test_a_block_arrives_with_its_header_and_leaves_no_descriptor() -> None:
    before = open_files()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        content = os.urandom(SIZE)
        Channel(ours).send({"a": "x" * 10_000}, share(content))
        Channel(ours).send({"b": 2}, b"bytes")
        header, received = Channel(theirs).receive()
        assert isinstance(received, SharedBlock)
        assert (header, bytes(received.view())) == ({"a": "x" * 10_000}, content)
        assert Channel(theirs).receive() == ({"b": 2}, b"bytes")
        Channel(theirs).send({}, received)  # and on to another process
        assert len(Channel(ours).receive()[1]) == SIZE
    del received
    assert open_files() == before


def test_a_sealed_block_cannot_be_changed_by_anyone() -> None:
    sealed = share(bytes(SIZE))
    with pytest.raises(OSError):
        os.pwrite(sealed.fileno(), b"x", 0)
    with pytest.raises(OSError):
        os.ftruncate(sealed.fileno(), 1)
    with pytest.raises(OSError):
        mmap.mmap(sealed.fileno(), SIZE)
    with pytest.raises(TypeError):
        sealed.view()[0] = 1


def test_memory_that_is_not_sealed_or_has_another_size_is_refused(
    channels: tuple[Channel, socket.socket],
) -> None:
    channel, other = channels
    unsealed = os.memfd_create("unsealed", os.MFD_ALLOW_SEALING)
    os.ftruncate(unsealed, SIZE)
    half_sealed = os.memfd_create("half", os.MFD_ALLOW_SEALING)
    os.ftruncate(half_sealed, SIZE)
    fcntl.fcntl(half_sealed, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    file = os.open(__file__, os.O_RDONLY)
    good = share(bytes(SIZE))
    before = open_files()
    for descriptor in (unsealed, half_sealed, file):
        send(other, SIZE | _SHARED, descriptor)
        with pytest.raises(ValueError):
            channel.receive()
        channel._receive(2, None)  # its header, which a closed channel would not get
    for size in (SIZE - 1, 0):
        send(other, size | _SHARED, good.fileno())
        with pytest.raises(ValueError):
            channel.receive()
        channel._receive(2, None)
    assert open_files() == before
    for descriptor in (unsealed, half_sealed, file):
        os.close(descriptor)


def test_descriptors_that_are_missing_or_not_announced_are_refused_and_closed(
    channels: tuple[Channel, socket.socket],
) -> None:
    channel, other = channels
    good = share(bytes(SIZE))
    before = open_files()
    for payload_bytes, descriptors in ((_SHARED | SIZE, 0), (2, 1), (_SHARED | SIZE, 2)):
        send(other, payload_bytes, *[good.fileno()] * descriptors)
        with pytest.raises(EOFError):
            channel.receive()
        channel._receive(2, None)
    assert open_files() == before


def test_more_memory_than_a_payload_may_have_is_refused(
    channels: tuple[Channel, socket.socket],
) -> None:
    channel, other = channels
    large = share(bytes(SIZE + 1))
    send(other, len(large) | _SHARED, large.fileno())
    with pytest.raises(EOFError):
        channel.receive()


def test_frames_without_shared_memory_pass_where_there_is_none(
    channels: tuple[Channel, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, other = channels
    monkeypatch.setattr(child, "CAN_SHARE", False)
    Channel(other).send({"a": 1}, b"bytes")
    assert channel.receive() == ({"a": 1}, b"bytes")
    send(other, 5 | _SHARED)
    with pytest.raises(EOFError):
        channel.receive()


def fill(channel: Channel, arguments: Header) -> None:
    """A child that answers each request with so many bytes."""
    while True:
        request, _ = channel.receive()
        channel.send({}, share(bytes(request["size"])))


def test_a_child_that_sends_more_than_it_may_is_reported_as_dead() -> None:
    one = Child("tests.process.test_shared_memory:fill", max_response_bytes=SIZE)
    try:
        with pytest.raises(ChildDied) as raised:
            one.call({"size": SIZE + 1}, timeout=DEADLINE_SECONDS)
        assert not raised.value.killed_from_outside
        assert not one.alive
    finally:
        one.kill()


def test_a_process_with_few_file_descriptors_gets_no_more_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = len(shared_memory._alive)
    monkeypatch.setattr(shared_memory, "_max_blocks", lambda: before + 1)
    assert shared_memory.has_room()
    one = share(b"x")
    assert not shared_memory.has_room()
    del one
    assert shared_memory.has_room()


def test_the_limit_on_open_files_is_raised_for_this_process_and_its_children() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 600), hard))
    try:
        shared_memory.raise_file_limit()
        allowed = hard if hard != resource.RLIM_INFINITY else soft
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= min(allowed, soft)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
