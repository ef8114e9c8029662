"""Several engines as one: spreads pages over its members and skips unhealthy ones.

Its members are one native engine a GPU, or remote servers. They should run the same model: any of
them may recognize a page. Knows no engine by name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from dsocr.engines.base import Engine, EngineInfo, OnText
from dsocr.engines.stats import EngineStats, merge_stats
from dsocr.errors import EngineUnavailable, QueueFull
from dsocr.process.text_stream import TextStream
from dsocr.types import OcrOptions, PageImage, PageResult

logger = logging.getLogger(__name__)

RESTART_SECONDS = 5.0
"""Between two attempts to start a member that did not start."""

Value = TypeVar("Value")


@dataclass(slots=True, eq=False)
class _Member:
    engine: Engine
    num_pages: int = 0
    """In flight."""
    start_problem: str = ""
    """Why it is not started; empty once it is, and before the pool's start."""
    first_attempt: asyncio.Event = field(default_factory=asyncio.Event)
    """Set after its first start, successful or not."""
    error: Exception | None = None
    """Of its last start."""

    @property
    def unhealthy_reason(self) -> str:
        return self.start_problem or self.engine.unhealthy_reason

    @property
    def load(self) -> float:
        """Share of its capacity that it uses with one page more."""
        return (self.num_pages + 1) / self.engine.info.max_concurrency


class EnginePool:
    """An `Engine` that sends each page to the healthy member with the least work.

    A page whose member is unavailable or full is sent to one other member. `EngineCrashed` is not
    retried: a member raises it only for a page that has crashed its process twice or failed in it
    alone, so it would crash another member's process, with that one's pages in flight, as well.
    """

    def __init__(self, members: Sequence[Engine]) -> None:
        """Raises `ValueError` without members. Their order decides between equal loads."""
        if not members:
            raise ValueError("a pool needs at least one engine")
        self._members = [_Member(engine) for engine in members]
        self._start_tasks: list[asyncio.Task[None]] = []
        self._num_retries = 0
        self._closed = False

    @property
    def info(self) -> EngineInfo:
        """Tasks and modes that all members support; pages in flight of the healthy ones."""
        infos = [member.engine.info for member in self._members]
        usable = self._healthy() or self._members
        return EngineInfo(
            name="+".join(_unique(info.name for info in infos)),
            model=", ".join(_unique(info.model for info in infos)),
            device=", ".join(_unique(info.device for info in infos)),
            tasks=tuple(_common([info.tasks for info in infos])),
            modes=tuple(_common([info.modes for info in infos])),
            streams=all(info.streams for info in infos),
            max_concurrency=sum(member.engine.info.max_concurrency for member in usable),
            supports_no_repeat=all(info.supports_no_repeat for info in infos),
            details=(
                *_common([info.details for info in infos]),
                ("engines", f"{len(self._healthy())} of {len(infos)} ready"),
            ),
        )

    @property
    def unhealthy_reason(self) -> str:
        """Empty while any member is healthy; else the members' reasons."""
        if self._healthy():
            return ""
        return " ".join(_unique(member.unhealthy_reason for member in self._members))

    def stats(self) -> EngineStats:
        """Sums over the members, and the pages that were sent to another one."""
        stats = (member.engine.stats() for member in self._members)
        return merge_stats(stats, retries=self._num_retries)

    async def start(self) -> None:
        """Starts all members concurrently; returns when the first is ready. The others are started
        in the background, again and again. Raises the first member's error if none starts."""
        await self._cancel_starts()
        self._start_tasks = [asyncio.create_task(self._start(member)) for member in self._members]
        try:
            await self._first_ready()
        except BaseException:
            await self._cancel_starts()
            raise

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
    ) -> PageResult:
        """Raises what the members raise."""
        stream = TextStream(on_text)
        piece_handler = None if on_text is None else stream.add
        first = self._least_loaded(self._healthy() or self._members)
        try:
            return await self._recognize_on(first, page, options, piece_handler)
        except (EngineUnavailable, QueueFull) as error:
            others = [member for member in self._healthy() if member is not first]
            if self._closed or not others:
                raise
            logger.warning("page %d goes to another engine: %s", page.index, error.message)
        self._num_retries += 1
        stream.restart()
        return await self._recognize_on(self._least_loaded(others), page, options, piece_handler)

    async def close(self) -> None:
        """Closes all members."""
        self._closed = True
        await self._cancel_starts()
        await asyncio.gather(*(member.engine.close() for member in self._members))

    async def _recognize_on(
        self, member: _Member, page: PageImage, options: OcrOptions, on_text: OnText | None
    ) -> PageResult:
        member.num_pages += 1
        try:
            return await member.engine.recognize(page, options, on_text=on_text)
        finally:
            member.num_pages -= 1

    async def _first_ready(self) -> None:
        """Returns when a member has started. Raises when the first attempts of all have failed."""
        attempts = [asyncio.create_task(one.first_attempt.wait()) for one in self._members]
        try:
            for attempt in asyncio.as_completed(attempts):
                await attempt
                if any(not member.start_problem for member in self._members):
                    return
        finally:
            for task in attempts:
                task.cancel()
        error = self._members[0].error
        assert error is not None
        raise error

    async def _start(self, member: _Member) -> None:
        """Tries until the member has started."""
        member.start_problem, member.error = "The engine is starting.", None
        member.first_attempt.clear()
        while True:
            try:
                await member.engine.start()
            except Exception as error:
                if str(error) != str(member.error):
                    logger.error("an engine of the pool did not start: %s", error)
                member.error = error
                member.start_problem = str(error) or type(error).__name__
            else:
                member.start_problem = ""
            member.first_attempt.set()
            if not member.start_problem:
                return
            await asyncio.sleep(RESTART_SECONDS)

    async def _cancel_starts(self) -> None:
        tasks, self._start_tasks = self._start_tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _healthy(self) -> list[_Member]:
        return [member for member in self._members if not member.unhealthy_reason]

    def _least_loaded(self, members: Sequence[_Member]) -> _Member:
        return min(members, key=lambda member: member.load)


def _unique(values: Iterable[str]) -> list[str]:
    return [value for value in dict.fromkeys(values) if value]


def _common(rows: Sequence[Sequence[Value]]) -> list[Value]:
    """Values that all rows have, in the first row's order."""
    return [value for value in rows[0] if all(value in row for row in rows[1:])]
