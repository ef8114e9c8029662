"""Blocks of memory that one process fills and others read, passed by file descriptor. Linux only.

A block is sealed before it is sent: from then on neither its bytes nor its size can change. So a
receiver needs no copy of what a process sends that decodes hostile files, and no block can shrink
while it is read, which would crash the reader.
"""

from __future__ import annotations

import array
import mmap
import os
import socket
import sys
import weakref
from functools import cache

from dsocr.types import SharedMemory

if sys.platform == "linux":
    import fcntl
    import resource

CAN_SHARE = sys.platform == "linux" and hasattr(os, "memfd_create")
_MAX_OPEN_FILES = 65_536
"""The limit on open files is raised to this where it may be."""
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_OTHER_FILES = 512
"""File descriptors left for connections, files and pipes."""


class SharedBlock:
    """A block of memory by its descriptor, which is closed with the last reference."""

    def __init__(self, fd: int, num_bytes: int) -> None:
        """Takes over the descriptor."""
        self._fd, self._num_bytes = fd, num_bytes
        weakref.finalize(self, os.close, fd)
        _alive.add(self)

    def __len__(self) -> int:
        return self._num_bytes

    def fileno(self) -> int:
        return self._fd

    def view(self) -> memoryview:
        """Its bytes, mapped read-only as long as the view is used."""
        # private: the kernel refuses other mappings of a sealed block before version 6.7
        return memoryview(
            mmap.mmap(self._fd, self._num_bytes, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
        )

    @classmethod
    def received(cls, fd: int, num_bytes: int) -> SharedBlock:
        """The block behind a descriptor that another process has sent. Raises `ValueError` if it
        is not sealed or has another size than announced; the descriptor is closed then."""
        block = cls(fd, num_bytes)
        try:
            sealed = fcntl.fcntl(fd, fcntl.F_GET_SEALS) & _seals() == _seals()
        except OSError as error:
            raise ValueError("a descriptor that is not shared memory") from error
        if not sealed or num_bytes < 1 or os.fstat(fd).st_size != num_bytes:
            raise ValueError("shared memory that is not sealed or has the wrong size")
        return block


_alive: weakref.WeakSet[SharedBlock] = weakref.WeakSet()


def share(data: bytes | bytearray | memoryview) -> SharedBlock:
    """A sealed block with a copy of these bytes. Raises `OSError` where the system allows none.

    The kernel copies. Writing into a mapped block instead takes longer: each of its pages is then
    faulted in by itself.
    """
    view = memoryview(data).cast("B")
    fd = os.memfd_create("dsocr", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    block = SharedBlock(fd, len(view))
    while view:
        view = view[os.write(fd, view) :]
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _seals())
    return block


def has_room() -> bool:
    """Whether this process may receive another block: each takes file descriptors, which are
    limited. Payloads travel through the socket otherwise."""
    return CAN_SHARE and len(_alive) < _max_blocks()


def as_buffer(payload: bytearray | SharedMemory) -> bytearray | memoryview:
    return payload if isinstance(payload, bytearray) else payload.view()


def send_with_block(sock: socket.socket, data: bytes, block: SharedMemory) -> int:
    """Sends the start of `data`, and the block's descriptor with it. Returns the bytes sent."""
    descriptor = array.array("i", [block.fileno()])
    return sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptor)])


def receive_with_descriptors(sock: socket.socket, size: int) -> tuple[bytes, list[int]]:
    """At most `size` bytes and the descriptors that came with them, which the caller closes."""
    data, ancillary, _, _ = sock.recvmsg(
        size, socket.CMSG_SPACE(array.array("i").itemsize), socket.MSG_WAITALL | _CLOSE_ON_EXEC
    )
    descriptors = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    return data, list(descriptors)


def _seals() -> int:
    return fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def raise_file_limit() -> None:
    """Lets this process, and children that it starts afterwards, have more open files: many systems
    start a process with a limit of 1,024 and let it raise the limit."""
    if sys.platform == "linux":
        soft, hard = (_finite(limit) for limit in resource.getrlimit(resource.RLIMIT_NOFILE))
        if soft < min(hard, _MAX_OPEN_FILES):
            _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, _MAX_OPEN_FILES), limit))


@cache
def _max_blocks() -> int:
    """Blocks that this process may have. A mapped block has two descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(0, (_finite(soft) - _OTHER_FILES) // 2)


def _finite(limit: int) -> int:
    return _MAX_OPEN_FILES if limit == resource.RLIM_INFINITY else limit
