from __future__ import annotations

import asyncio

from dsocr.pages.child_queue import MAX_EXTRA_TURNS, ChildQueue
from tests.waiting import DEADLINE_SECONDS


class Work:
    """Requests of files, each served when the one before has ended."""

    def __init__(self, *, num_children: int = 1) -> None:
        self.idle: list[str] = []
        self.served: list[str] = []
        self.queue = ChildQueue(num_children, lambda: self.idle)
        self.gate = asyncio.Event()

    async def request(self, path: str) -> None:
        async with self.queue.child(path):
            await self.gate.wait()
            self.served.append(path)
            self.idle = [path]

    async def run(self, *paths: str) -> str:
        tasks = [asyncio.create_task(self.request(path)) for path in paths]
        await asyncio.sleep(0)
        self.gate.set()
        await asyncio.gather(*tasks)
        return "".join(self.served)


async def test_files_are_served_in_turns_with_a_few_more_where_they_are_open() -> None:
    served = await Work().run(*"aaaaaaaaab", "b", "c")
    assert served[: MAX_EXTRA_TURNS + 2] == "a" * (MAX_EXTRA_TURNS + 1) + "b"
    assert served.index("c") <= 2 * (MAX_EXTRA_TURNS + 1)
    assert sorted(served) == sorted("aaaaaaaaabbc")


async def test_a_file_alone_gets_every_child() -> None:
    work = Work(num_children=3)
    tasks = [asyncio.create_task(work.request("a")) for _ in range(3)]
    await asyncio.sleep(0)
    work.gate.set()
    await asyncio.wait_for(asyncio.gather(*tasks), DEADLINE_SECONDS)
    assert work.served == ["a"] * 3


async def test_a_cancelled_request_leaves_its_child_to_the_next_one() -> None:
    work = Work()
    first, second, third = (asyncio.create_task(work.request(path)) for path in "abc")
    await asyncio.sleep(0)
    second.cancel()
    first.cancel()
    work.gate.set()
    await asyncio.wait_for(third, DEADLINE_SECONDS)
    assert work.served == ["c"]
