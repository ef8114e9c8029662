"""Bodies are received a few at a time, and a slow client holds none of the others up."""

from __future__ import annotations

import asyncio

from dsocr.server.received.turns import Message, Turns

FOREVER = 3600.0


class Client:
    """Sends what it is told to."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[Message] = asyncio.Queue()
        self.asked = asyncio.Event()
        """Set once the server waits for a message."""

    def send(self, *, last: bool) -> None:
        self.sent.put_nowait({"type": "http.request", "body": b"x", "more_body": not last})

    async def receive(self) -> Message:
        self.asked.set()
        return await self.sent.get()


async def received(turns: Turns, client: Client) -> int:
    return len([message async for message in turns.messages(client.receive)])


async def test_a_body_is_received_to_its_end_before_the_next_one_is_begun() -> None:
    turns, first, second = Turns(1, FOREVER), Client(), Client()
    second.send(last=True)
    begun = asyncio.ensure_future(received(turns, first))
    await first.asked.wait()
    waiting = asyncio.ensure_future(received(turns, second))
    first.send(last=False)
    first.send(last=True)
    assert await begun == 2
    assert not second.asked.is_set()
    assert await waiting == 1


async def test_a_client_that_sends_nothing_lets_the_next_one_begin_and_is_received_to_its_end() -> (
    None
):
    turns, slow, other = Turns(1, 0.0), Client(), Client()
    begun = asyncio.ensure_future(received(turns, slow))
    await slow.asked.wait()
    other.send(last=True)
    assert await received(turns, other) == 1
    slow.send(last=False)
    slow.send(last=True)
    assert await begun == 2


async def test_a_client_that_disconnects_gives_its_slot_back_once() -> None:
    turns, gone = Turns(1, FOREVER), Client()
    gone.sent.put_nowait({"type": "http.disconnect"})
    assert await received(turns, gone) == 1
    first, second = Client(), Client()
    begun = asyncio.ensure_future(received(turns, first))
    await first.asked.wait()
    waiting = asyncio.ensure_future(received(turns, second))
    first.send(last=True)
    await begun
    assert not second.asked.is_set()
    second.send(last=True)
    assert await waiting == 1


async def test_a_cancelled_request_gives_its_slot_back() -> None:
    turns, client, other = Turns(1, FOREVER), Client(), Client()
    begun = asyncio.ensure_future(received(turns, client))
    await client.asked.wait()
    begun.cancel()
    await asyncio.wait({begun})
    other.send(last=True)
    assert await received(turns, other) == 1
