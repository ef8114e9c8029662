"""A child process that answers requests over a socket, with limits on memory and time.

It never outlives its parent. Knows nothing of what the child computes. File decoding, the embedded
engine and the runtime each run in such a child, so that a crash, a hang or a decompression bomb
costs one child and never the service.

A frame is a JSON object and one binary payload, which travels through the socket or as a block of
shared memory. Pickle is not used: a child that decodes hostile
files must not be able to run code in its parent.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dsocr.process.shared_memory import (
    CAN_SHARE,
    SharedBlock,
    raise_file_limit,
    receive_with_descriptors,
    send_with_block,
)
from dsocr.types import SharedMemory

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Header = dict[str, Any]
Buffer = bytes | bytearray | memoryview
Payload = Buffer | SharedMemory
Received = bytearray | SharedBlock

_LENGTHS = struct.Struct("!IQ")
_SHARED = 1 << 63
"""Added to the length of a payload that is shared memory: its descriptor comes with the lengths."""
_CHILD_PROGRAM = (
    "import sys; sys.path = [entry for entry in sys.path if entry];"
    "import dsocr.process.child; dsocr.process.child.main()"
)
"""`python -m` would put the current folder on the module path; a file beside a document may be
called types.py."""
BEGAN_AT = time.time()
"""In a child: when its interpreter had started, before the target's imports. Seconds since 1970."""
_KILLS_FROM_OUTSIDE = (-signal.SIGTERM, -getattr(signal, "SIGKILL", signal.SIGTERM))
"""Exit statuses of a process that was killed. Windows has no SIGKILL."""
MAX_HEADER_BYTES = 64 << 20
MAX_PAYLOAD_BYTES = 4 << 30
"""The parent allocates no more than this for a frame, whatever length a faulty child announces."""


class ChildDied(Exception):
    """The child process ended before it responded. `reason` is for the log.

    `killed_from_outside`: by another process or by the kernel for lack of memory. The limits of the
    child itself never show as SIGKILL: past its CPU time it gets SIGXCPU, and without address space
    its allocations fail.
    """

    def __init__(self, reason: str, *, killed_from_outside: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.killed_from_outside = killed_from_outside


class ChildTimeout(Exception):
    """The child did not respond in time and was killed."""


class Channel:
    """Frames over a connected socket. One thread may receive and one may send at a time."""

    def __init__(self, sock: socket.socket, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        self._sock = sock
        self._max_payload_bytes = max_payload_bytes

    def send(
        self, header: Mapping[str, Any], payload: Payload = b"", deadline: float | None = None
    ) -> None:
        """Raises `TimeoutError` past the deadline: the other side no longer receives."""
        text = json.dumps(header, separators=(",", ":")).encode()
        if not isinstance(payload, Buffer):
            self._send_shared(
                _LENGTHS.pack(len(text), len(payload) | _SHARED) + text, payload, deadline
            )
            return
        view = memoryview(payload).cast("B")  # so that `len` counts bytes
        self._send(_LENGTHS.pack(len(text), len(view)) + text, deadline)
        if view:
            self._send(view, deadline)

    def has_input(self) -> bool:
        """Whether `receive` would find data, or the end of the stream, now."""
        waiting = select.poll()  # select() takes no descriptor above 1023
        waiting.register(self._sock, select.POLLIN)
        return bool(waiting.poll(0))

    def receive(self, deadline: float | None = None) -> tuple[Header, Received]:
        """The next frame. Raises `EOFError` at the end or at a length above the limits,
        `ValueError` if the header is not a JSON object or the shared memory not sealed,
        `TimeoutError` past the deadline."""
        lengths, descriptors = self._receive_lengths(deadline)
        header_bytes, payload_bytes = _LENGTHS.unpack(lengths)
        block = _received_block(descriptors, payload_bytes)
        payload_bytes &= ~_SHARED
        if header_bytes > MAX_HEADER_BYTES:
            raise EOFError(f"frame header of {header_bytes} bytes")
        if payload_bytes > self._max_payload_bytes:
            raise EOFError(f"frame payload of {payload_bytes} bytes")
        header = _parse_header(self._receive(header_bytes, deadline))
        return header, self._receive(payload_bytes, deadline) if block is None else block

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _send(self, data: Buffer, deadline: float | None) -> None:
        with self._until(deadline):
            self._sock.sendall(data)

    def _send_shared(self, data: bytes, block: SharedMemory, deadline: float | None) -> None:
        with self._until(deadline):
            num_sent = send_with_block(self._sock, data, block)
        self._send(memoryview(data)[num_sent:], deadline)

    def _receive_lengths(self, deadline: float | None) -> tuple[bytes | bytearray, list[int]]:
        """The lengths at the start of a frame, and the descriptors that came with them."""
        if not CAN_SHARE:
            return self._receive(_LENGTHS.size, deadline), []
        with self._until(deadline):
            data, descriptors = receive_with_descriptors(self._sock, _LENGTHS.size)
        if not data:
            raise EOFError("the other side closed the connection")
        if len(data) < _LENGTHS.size:
            data += self._receive(_LENGTHS.size - len(data), deadline)
        return data, descriptors

    def _receive(self, size: int, deadline: float | None) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            with self._until(deadline):
                # All of it in one call: after every call a thread beside a busy one waits for
                # the interpreter lock, 5 ms for every 200 KB.
                count = self._sock.recv_into(view, 0, socket.MSG_WAITALL)
            if count == 0:
                raise EOFError("the other side closed the connection")
            view = view[count:]
        return data

    @contextlib.contextmanager
    def _until(self, deadline: float | None) -> Iterator[None]:
        """Limits one call on the socket to the time left. Without a deadline the timeout is not
        touched: the receiving and the sending thread share it."""
        if deadline is None:
            yield
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # closed meanwhile by another thread
                self._sock.settimeout(None)


class Child:
    """One child process running `target` ("module:function") and the channel to it.

    `target` is called in the child as `target(channel, arguments)`; the child ends when it returns,
    or when the parent dies and its pipe closes. Methods block; `call_async` does not.
    """

    def __init__(
        self,
        target: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        memory_bytes: int | None = None,
        max_response_bytes: int = MAX_PAYLOAD_BYTES,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        raise_file_limit()
        ours, theirs = socket.socketpair()
        lifeline_read, self._lifeline = os.pipe()
        plan = {"target": target, "arguments": dict(arguments or {}), "memory_bytes": memory_bytes}
        path = os.pathsep.join(entry for entry in sys.path if entry)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _CHILD_PROGRAM, str(theirs.fileno()), str(lifeline_read)],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), lifeline_read),
                env={**os.environ, "PYTHONPATH": path, **(environment or {})},
                start_new_session=True,  # Ctrl-C in the terminal is the parent's to handle
            )
        except OSError:
            os.close(self._lifeline)
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(lifeline_read)
        self.channel = Channel(ours, max_response_bytes)
        self._thread = _one_thread()
        self._closed = False
        self._closing = threading.Lock()
        try:
            self.channel.send(plan)
        except OSError as error:
            self.kill()
            raise ChildDied("the child did not start") from error

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._closed and self._process.poll() is None

    def call(
        self, header: Mapping[str, Any], payload: Payload = b"", *, timeout: float | None = None
    ) -> tuple[Header, Received]:
        """Sends one request and returns its response. A child that dies or takes too long is
        killed and reaped, and `ChildDied` or `ChildTimeout` raised."""
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            self.channel.send(header, payload, deadline)
            return self.channel.receive(deadline)
        except TimeoutError as error:
            self.kill()
            raise ChildTimeout(f"no response within {timeout:g} s") from error
        except (EOFError, OSError, ValueError) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.5)  # its own exit status is more useful than that of our kill
            died = ChildDied(self.exit_reason(), killed_from_outside=self._was_killed())
            self.kill()
            raise died from error

    async def call_async(
        self, header: Mapping[str, Any], payload: Payload = b"", *, timeout: float | None = None
    ) -> tuple[Header, Received]:
        """`call` from a coroutine. Cancelling kills the child: C code cannot be interrupted."""
        import asyncio

        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(
            self._thread, lambda: self.call(header, payload, timeout=timeout)
        )
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self.kill()
            with contextlib.suppress(ChildDied, ChildTimeout):
                await work
            raise

    def _was_killed(self) -> bool:
        """Whether the process was killed, and not by `kill`."""
        return not self._closed and self._process.returncode in _KILLS_FROM_OUTSIDE

    def exit_reason(self) -> str:
        """How the process ended, for the log."""
        code = self._process.poll()
        if code is None:
            return "still running"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-code).name}"
        return f"exit status {code}"

    def kill(self) -> None:
        """Kills the child and reaps it. Safe to call twice and from any thread."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._process.kill()
            self._process.wait()
            self.channel.close()
            os.close(self._lifeline)
            self._thread.shutdown(wait=False)


def _one_thread() -> ThreadPoolExecutor:
    # imported here, like asyncio above: a child imports this module and needs neither
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="child")


def _received_block(descriptors: list[int], payload_bytes: int) -> SharedBlock | None:
    """The frame's shared memory, if it has any. Descriptors that are not announced are closed."""
    if len(descriptors) == 1 and payload_bytes & _SHARED:
        return SharedBlock.received(descriptors[0], payload_bytes & ~_SHARED)
    for descriptor in descriptors:
        os.close(descriptor)
    if descriptors or payload_bytes & _SHARED:
        raise EOFError("a frame whose shared memory is missing or not announced")
    return None


def _parse_header(header: bytearray) -> Header:
    try:
        value = json.loads(header)
    except RecursionError as error:
        raise ValueError("a frame header that is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("a frame header that is not an object")
    return value


def limit_cpu_seconds(seconds: float) -> None:
    """In a child: the kernel ends this process after `seconds` more of CPU time. POSIX only."""
    if sys.platform == "win32":
        return
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = usage.ru_utime + usage.ru_stime
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds) + 1, hard))


def _limit_memory(limit_bytes: int) -> None:
    if sys.platform != "linux":  # elsewhere RLIMIT_AS is absent or ignored
        return
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))


def _die_with_parent(lifeline: int) -> None:
    """Exits when the parent's end of the pipe closes, that is, when the parent is gone."""

    def watch() -> None:
        os.read(lifeline, 1)
        os._exit(0)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def _resolve(target: str) -> Callable[[Channel, Header], None]:
    module, _, name = target.partition(":")
    function: Callable[[Channel, Header], None] = getattr(importlib.import_module(module), name)
    return function


def main() -> None:
    """The child's entry point: receives the plan, sets the limits, calls the target."""
    channel_fd, lifeline = (int(argument) for argument in sys.argv[1:3])
    os.dup2(2, 1)  # output that a library prints goes to the log
    _die_with_parent(lifeline)
    channel = Channel(socket.socket(fileno=channel_fd))
    plan, _ = channel.receive()
    if plan["memory_bytes"]:
        _limit_memory(plan["memory_bytes"])
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        _resolve(plan["target"])(channel, plan["arguments"])
    os._exit(0)  # skips C++ destructors of libraries, which may hang
