"""A helper process that answers over a pipe: spawned, limited, timed, killed, never outliving us.

Knows nothing of what the child computes. Decoding, the embedded engine and the runtime each live in
such a child, so that a crash, a hang or a bomb costs one child and never the service.

A frame is a JSON object and one binary payload. There are no pickles: a child that decodes hostile
files must not be able to make its parent run code.
"""

from __future__ import annotations

import asyncio
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
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Header = dict[str, Any]
Buffer = bytes | bytearray | memoryview

_LENGTHS = struct.Struct("!IQ")
_BEGIN = (
    "import sys; sys.path = [entry for entry in sys.path if entry];"
    "import dsocr.process.child; dsocr.process.child.main()"
)
"""The child's program. `python -m` would look for modules in the folder somebody stands in, where
a document's neighbour may be called types.py."""
BEGAN_AT = time.time()
"""In a child: when its interpreter was up, before the target's imports. Seconds since 1970."""
MAX_HEADER_BYTES = 64 << 20
MAX_PAYLOAD_BYTES = 4 << 30
"""A child that went wrong must not make us reserve whatever it claims."""


class ChildDied(Exception):
    """The child process ended while an answer was owed. `reason` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ChildTimeout(Exception):
    """The child did not answer in time and was killed."""


class Channel:
    """Frames over a connected socket. One reader and one writer at a time."""

    def __init__(self, sock: socket.socket, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        self._sock = sock
        self._max_payload_bytes = max_payload_bytes

    def send(
        self, header: Mapping[str, Any], payload: Buffer = b"", deadline: float | None = None
    ) -> None:
        """Raises `TimeoutError` past the deadline: the other side has stopped reading."""
        text = json.dumps(header, separators=(",", ":")).encode()
        view = memoryview(payload).cast("B")  # its length is bytes, whatever the items are
        self._send(_LENGTHS.pack(len(text), len(view)) + text, deadline)
        if view:
            self._send(view, deadline)

    def waiting(self) -> bool:
        """Whether something has arrived: the start of a frame, or the end."""
        return bool(select.select([self._sock], [], [], 0)[0])

    def receive(self, deadline: float | None = None) -> tuple[Header, bytearray]:
        """The next frame. Raises `EOFError` at the end or at lengths beyond reason, `ValueError` at
        a header that is no JSON object, `TimeoutError` past the deadline."""
        header_bytes, payload_bytes = _LENGTHS.unpack(self._read(_LENGTHS.size, deadline))
        if header_bytes > MAX_HEADER_BYTES:
            raise EOFError(f"frame header of {header_bytes} bytes")
        if payload_bytes > self._max_payload_bytes:
            raise EOFError(f"frame payload of {payload_bytes} bytes")
        header = self._read(header_bytes, deadline)
        return _parsed(header), self._read(payload_bytes, deadline)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def _send(self, data: Buffer, deadline: float | None) -> None:
        with self._until(deadline):
            self._sock.sendall(data)

    def _read(self, size: int, deadline: float | None) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            with self._until(deadline):
                # all of it in one call: after each, a reader beside a busy thread waits for the
                # interpreter, 5 ms for every 200 KB
                count = self._sock.recv_into(view, 0, socket.MSG_WAITALL)
            if count == 0:
                raise EOFError("the other side is gone")
            view = view[count:]
        return data

    @contextlib.contextmanager
    def _until(self, deadline: float | None) -> Iterator[None]:
        """The time left for one call on the socket. Without a deadline nothing is touched: a
        reader and a writer share the socket, and so its timeout."""
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
    and is ended by the kernel closing the pipe when we die. Methods block; `call_async` does not.
    """

    def __init__(
        self,
        target: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        memory_bytes: int | None = None,
        max_answer_bytes: int = MAX_PAYLOAD_BYTES,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        ours, theirs = socket.socketpair()
        lifeline_read, self._lifeline = os.pipe()
        plan = {"target": target, "arguments": dict(arguments or {}), "memory_bytes": memory_bytes}
        path = os.pathsep.join(entry for entry in sys.path if entry)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BEGIN, str(theirs.fileno()), str(lifeline_read)],
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
        self.channel = Channel(ours, max_answer_bytes)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="child")
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
        self, header: Mapping[str, Any], payload: Buffer = b"", *, timeout: float | None = None
    ) -> tuple[Header, bytearray]:
        """One question, one answer. A child that dies or is late is killed and reaped."""
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            self.channel.send(header, payload, deadline)
            return self.channel.receive(deadline)
        except TimeoutError as error:
            self.kill()
            raise ChildTimeout(f"no answer within {timeout:g} s") from error
        except (EOFError, OSError, ValueError) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.5)  # its own end says more than our signal
            self.kill()
            raise ChildDied(self.how_it_ended()) from error

    async def call_async(
        self, header: Mapping[str, Any], payload: Buffer = b"", *, timeout: float | None = None
    ) -> tuple[Header, bytearray]:
        """`call` from a coroutine. Cancelling kills the child: it may be deep in C code."""
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

    def how_it_ended(self) -> str:
        """A few words on the exit, for the log."""
        code = self._process.poll()
        if code is None:
            return "still running"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(-code).name}"
        return f"exit status {code}"

    def kill(self) -> None:
        """Ends the child now and reaps it. Safe to call twice and from any thread."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._process.kill()
            self._process.wait()
            self.channel.close()
            os.close(self._lifeline)
            self._thread.shutdown(wait=False)


def _parsed(header: bytearray) -> Header:
    try:
        value = json.loads(header)
    except RecursionError as error:
        raise ValueError("a frame header nested without end") from error
    if not isinstance(value, dict):
        raise ValueError("a frame header that is no object")
    return value


def limit_cpu_seconds(seconds: float) -> None:
    """In a child: the kernel ends this process after that much more CPU time. POSIX only."""
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
    """The parent holds the pipe's other end open for as long as it lives."""

    def watch() -> None:
        os.read(lifeline, 1)
        os._exit(0)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


def _resolve(target: str) -> Callable[[Channel, Header], None]:
    module, _, name = target.partition(":")
    function: Callable[[Channel, Header], None] = getattr(importlib.import_module(module), name)
    return function


def main() -> None:
    """The child's side: read the plan, take the limits, hand over to the target."""
    channel_fd, lifeline = (int(argument) for argument in sys.argv[1:3])
    os.dup2(2, 1)  # what a library prints belongs in the log
    _die_with_parent(lifeline)
    channel = Channel(socket.socket(fileno=channel_fd))
    plan, _ = channel.receive()
    if plan["memory_bytes"]:
        _limit_memory(plan["memory_bytes"])
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        _resolve(plan["target"])(channel, plan["arguments"])
    os._exit(0)  # no C++ destructor of a library gets the chance to hang
