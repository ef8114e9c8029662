from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dsocr.process.child import Channel, Child, ChildDied, ChildTimeout
from tests.process.obedient_child import OBEY
from tests.processes import is_alive
from tests.waiting import DEADLINE_SECONDS, wait_until


@contextmanager
def child(**options: object) -> Iterator[Child]:
    one = Child(OBEY, {"given": 1}, **options)  # type: ignore[arg-type]
    try:
        yield one
    finally:
        one.kill()


def test_a_request_gets_its_response_and_its_bytes_come_back() -> None:
    with child(environment={"DSOCR_TEST_CHILD": "yes"}) as one:
        response, payload = one.call({"word": "ä"}, b"abc", timeout=DEADLINE_SECONDS)
        assert (response["word"], bytes(payload)) == ("ä", b"cba")
        assert response["arguments"] == {"given": 1}
        assert response["environment"] == "yes"
        assert one.alive


def test_a_payload_larger_than_any_socket_buffer_arrives_whole() -> None:
    sent = os.urandom(1 << 20) * 20
    with child() as one:
        _, received = one.call({}, sent, timeout=DEADLINE_SECONDS)
    assert bytes(received) == sent[::-1]


def test_a_payload_counts_in_bytes_whatever_its_items_are() -> None:
    words = memoryview(bytes(range(16))).cast("I")
    with child() as one:
        _, received = one.call({}, words, timeout=DEADLINE_SECONDS)
    assert bytes(received) == bytes(range(16))[::-1]


def test_a_child_that_exits_is_reported_with_its_status() -> None:
    with child() as one, pytest.raises(ChildDied) as raised:
        one.call({"exit": 7}, timeout=DEADLINE_SECONDS)
    assert raised.value.reason == "exit status 7"
    assert not one.alive


def test_a_child_that_takes_too_long_is_killed() -> None:
    with child() as one:
        one.call({}, timeout=DEADLINE_SECONDS)
        with pytest.raises(ChildTimeout):
            one.call({"sleep": 60}, timeout=0.2)
        assert not one.alive
        with pytest.raises(ProcessLookupError):
            os.kill(one.pid, 0)


def test_a_deadline_holds_for_its_own_call_only() -> None:
    with child() as one:
        one.call({}, timeout=0.5 + DEADLINE_SECONDS)
        one.channel._sock.gettimeout()
        one.call({}, timeout=DEADLINE_SECONDS)
        assert one.channel._sock.gettimeout() is None


def test_a_child_that_stops_receiving_does_not_block_its_parent() -> None:
    with child() as one:
        one.call({}, timeout=DEADLINE_SECONDS)
        os.kill(one.pid, signal.SIGSTOP)
        with pytest.raises(ChildTimeout):
            one.call({}, bytes(64 << 20), timeout=0.3)


def test_a_signal_is_reported_by_name() -> None:
    with child() as one, pytest.raises(ChildDied) as raised:
        one.call({"burn": 0.1}, timeout=DEADLINE_SECONDS)
    assert raised.value.reason == "killed by SIGXCPU"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits address space")
def test_memory_is_limited() -> None:
    with child(memory_bytes=512 << 20) as one:
        assert one.call({"allocate": 1 << 20}, timeout=DEADLINE_SECONDS)[0]["got"] == 1 << 20
        assert one.call({"allocate": 1 << 30}, timeout=DEADLINE_SECONDS)[0]["got"] is None


def test_output_that_a_child_prints_does_not_reach_standard_output(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with child() as one:
        one.call({"print": "chatter"}, timeout=DEADLINE_SECONDS)
    out, err = capfd.readouterr()
    assert "chatter" not in out and "chatter" in err


async def test_cancelling_a_call_kills_the_child() -> None:
    with child() as one:
        await one.call_async({}, timeout=DEADLINE_SECONDS)
        calling = asyncio.ensure_future(one.call_async({"sleep": 60}))
        await asyncio.sleep(0.05)  # right both before and after the request was sent
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert not one.alive


async def test_a_child_may_be_killed_from_many_threads_at_once() -> None:
    with child() as one:
        await one.call_async({}, timeout=DEADLINE_SECONDS)
        await asyncio.gather(*(asyncio.to_thread(one.kill) for _ in range(8)))
        assert not one.alive


def test_a_child_does_not_outlive_its_parent(tmp_path: Path) -> None:
    script = (
        "import time; from dsocr.process.child import Child\n"
        "one = Child('tests.process.obedient_child:obey'); one.call({}, timeout=60)\n"
        "print(one.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_until(lambda: not is_alive(pid))


@pytest.mark.parametrize(
    "lengths", [b"\xff\xff\xff\xff" + bytes(8), bytes(4) + b"\xff" * 8], ids=["header", "payload"]
)
def test_a_frame_that_announces_an_enormous_length_is_refused(lengths: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(lengths)
        with pytest.raises(EOFError):
            Channel(ours).receive(time.monotonic() + DEADLINE_SECONDS)


def test_a_payload_is_received_in_one_call() -> None:
    """With several calls the thread waits for the interpreter lock after each one."""

    class Counting(socket.socket):
        calls = 0

        def recv_into(self, *arguments: Any) -> int:
            self.calls += 1
            return super().recv_into(*arguments)

        def recvmsg(self, *arguments: Any) -> Any:
            self.calls += 1
            return super().recvmsg(*arguments)

    ours, theirs = socket.socketpair()
    reader = Counting(fileno=theirs.detach())
    with ours, reader, ThreadPoolExecutor(1) as beside:
        payload = os.urandom(5 << 20)
        sending = beside.submit(Channel(ours).send, {}, payload)
        assert Channel(reader).receive() == ({}, payload)
        sending.result()
    assert reader.calls == 3  # lengths, header, payload


def test_a_child_imports_no_module_from_the_folder_it_is_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong module was imported')")
    monkeypatch.chdir(tmp_path)
    with child() as one:
        assert one.call({}, b"abc", timeout=DEADLINE_SECONDS)[1] == b"cba"


def test_input_is_seen_on_a_descriptor_above_1023() -> None:
    resource = pytest.importorskip("resource")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 < hard <= 1100:
        pytest.skip("the system allows too few open files")
    program = (
        "import os, resource, socket\n"
        "from dsocr.process.child import Channel\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (1100, hard))\n"
        "ours, theirs = socket.socketpair()\n"
        "high = socket.socket(fileno=os.dup2(ours.fileno(), 1050))\n"
        "channel = Channel(high)\n"
        "print(channel.has_input())\n"
        "Channel(theirs).send({})\n"
        "print(channel.has_input())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["False", "True"]
