"""Several engines as one: spreads pages over its members and skips unhealthy ones.

Its members are one native engine for each device, or remote servers. They should run the same
model: any of them may recognize a page. Knows no engine by name.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from dsocr.engines.base import EngineInfo, OnText, PoolMember
from dsocr.engines.pool_member import Member
from dsocr.engines.retry_budget import RetryBudget
from dsocr.engines.stats import EngineStats, merge_stats
from dsocr.errors import EngineCrashed, EngineUnavailable, QueueFull
from dsocr.process.inflight import Suspicion, WorkerLost
from dsocr.process.progress import StartProgress
from dsocr.process.text_stream import TextStream
from dsocr.types import OcrOptions, PageImage, PageResult

logger = logging.getLogger(__name__)

RECOVERY_POLL_SECONDS = 0.2
"""Between two looks for a healthy member while there is none."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Request:
    """One page to recognize."""

    page: PageImage
    options: OcrOptions
    on_text: OnText | None


class EnginePool:
    """An `Engine` that sends each page to the healthy member with the least work.

    A page whose member's process is lost is sent to another member, with what is known of its part
    in that crash; of pages that may have caused it, each member gets one at a time. A member whose
    process was lost gets one page at a time until one succeeds. A page whose member is unavailable
    or full is sent to one other member.
    `EngineCrashed` is not retried: a member raises it only for a page that has crashed two
    processes or failed in one alone, so it would crash another member's process, with that one's
    pages in flight, as well.
    """

    def __init__(
        self,
        members: Sequence[PoolMember],
        *,
        retry_budget: RetryBudget | None = None,
        busy_seconds: float = 0.0,
        by_duration: bool = False,
    ) -> None:
        """Raises `ValueError` without members. Their order decides between equal loads. Without a
        `retry_budget` every page that may be sent again is. A page that busy members refuse takes
        nothing from it for `busy_seconds`. `by_duration`: members may differ in speed, and one that
        takes longer for a page counts as more loaded."""
        if not members:
            raise ValueError("a pool needs at least one engine")
        self._members = [Member(engine) for engine in members]
        self._retry_budget, self._by_duration = retry_budget, by_duration
        self._busy_seconds = busy_seconds
        self._start_tasks: list[asyncio.Task[None]] = []
        self._num_retries = 0
        self._closed = False
        self._suspect_ended = asyncio.Event()
        self._info: EngineInfo | None = None
        self._info_key: list[tuple[EngineInfo, bool]] = []
        """What `_info` was made of."""

    @property
    def info(self) -> EngineInfo:
        """Tasks and modes that all members support; pages in flight of the healthy ones."""
        key = [(one.engine.info, not one.unhealthy_reason) for one in self._members]
        if self._info is None or key != self._info_key:
            self._info, self._info_key = self._make_info(), key
        return self._info

    def _make_info(self) -> EngineInfo:
        infos = [member.engine.info for member in self._members]
        usable = self._healthy() or self._members
        return EngineInfo(
            name="+".join(_unique(info.name for info in infos)),
            model=", ".join(_unique(info.model for info in infos)),
            device=", ".join(_unique(info.device for info in infos)),
            tasks=tuple(_common([info.tasks for info in infos])),
            modes={key: infos[0].modes[key] for key in _common([[*info.modes] for info in infos])},
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

    @property
    def start_progress(self) -> StartProgress | None:
        """Of the first member that is starting."""
        each = (member.engine.start_progress for member in self._members)
        return next((progress for progress in each if progress is not None), None)

    def stats(self) -> EngineStats:
        """Sums over the members, and the pages that were sent to another one."""
        stats = merge_stats(
            (member.engine.stats() for member in self._members), retries=self._num_retries
        )
        return replace(stats, workers=tuple(member.state() for member in self._members))

    async def start(self) -> None:
        """Starts all members concurrently; returns when the first is ready. The others are started
        in the background, again and again. Raises the first member's error if none starts."""
        await self._cancel_starts()
        self._start_tasks = [asyncio.create_task(member.start()) for member in self._members]
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
        request = _Request(page, options, None if on_text is None else stream.add)
        suspicion, avoided, was_refused = Suspicion(), list[Member](), False
        patient_until = time.monotonic() + self._busy_seconds
        if self._retry_budget is not None:
            self._retry_budget.add_page()
        while True:
            member = await self._select_member(suspicion, avoided)
            try:
                return await self._recognize_on(member, request, suspicion)
            except WorkerLost as error:
                is_free = error.was_busy and time.monotonic() < patient_until
                if self._closed or not (is_free or self._may_retry()):
                    raise
                suspicion = error.suspicion
            except (EngineUnavailable, QueueFull) as error:
                is_last = not any(one is not member for one in self._healthy())
                if self._closed or was_refused or is_last or not self._may_retry():
                    raise
                logger.warning("page %d goes to another engine: %s", page.index, error.message)
                self._num_retries += 1
                was_refused = True
            avoided.append(member)
            stream.restart()

    async def close(self) -> None:
        """Closes all members."""
        self._closed = True
        self._wake_suspects()
        await self._cancel_starts()
        await asyncio.gather(*(member.engine.close() for member in self._members))

    def _may_retry(self) -> bool:
        return self._retry_budget is None or self._retry_budget.take()

    async def _recognize_on(
        self, member: Member, request: _Request, suspicion: Suspicion
    ) -> PageResult:
        member.num_pages += 1
        began = time.monotonic()
        on_text = request.on_text
        if suspicion.is_suspect:
            member.suspect = request
            on_text = self._until_cleared(member, request, suspicion)
        recognizing = member.engine.recognize(
            request.page, request.options, on_text=on_text, suspicion=suspicion
        )
        try:
            if not member.unhealthy_reason:
                result = await recognizing
            else:
                result = await self._unless_another_recovers(member, recognizing, suspicion)
            member.on_probation = False
            member.add_duration(time.monotonic() - began)
            return result
        except (WorkerLost, EngineCrashed):
            member.on_probation = True
            raise
        finally:
            member.num_pages -= 1
            self._clear_suspect(member, request)

    def _until_cleared(self, member: Member, request: _Request, suspicion: Suspicion) -> OnText:
        """Passes text on, and counts it: the page is no suspect once it is longer than before."""
        num_characters = 0

        def add(piece: str) -> None:
            nonlocal num_characters
            num_characters += len(piece)
            if num_characters >= suspicion.cleared_at:
                self._clear_suspect(member, request)
            if request.on_text is not None:
                request.on_text(piece)

        return add

    def _clear_suspect(self, member: Member, request: _Request) -> None:
        if member.suspect is request:
            member.suspect = None
            self._wake_suspects()

    async def _unless_another_recovers(
        self,
        member: Member,
        recognizing: Coroutine[Any, Any, PageResult],
        suspicion: Suspicion,
    ) -> PageResult:
        """Waits for an unhealthy member. Cancels the page there and raises `WorkerLost` when
        another one becomes healthy first."""
        task = asyncio.ensure_future(recognizing)
        try:
            while not (await asyncio.wait({task}, timeout=RECOVERY_POLL_SECONDS))[0]:
                if member.unhealthy_reason and self._healthy():
                    raise WorkerLost(suspicion)
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

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

    async def _cancel_starts(self) -> None:
        tasks, self._start_tasks = self._start_tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _healthy(self) -> list[Member]:
        return [member for member in self._members if not member.unhealthy_reason]

    async def _select_member(self, suspicion: Suspicion, avoided: Sequence[Member]) -> Member:
        """The least loaded. A suspect waits for a member that has no other: pages without
        suspicion, which a member holds back while a suspect is examined, thus do not wait for all
        suspects."""
        while True:
            members = self._usable(avoided)
            if suspicion.is_suspect:
                members = [one for one in members if one.suspect is None]
            if members:
                return min(members, key=self._load)
            await self._suspect_ended.wait()
            if self._closed:
                raise EngineUnavailable("The engine was shut down.")

    def _load(self, member: Member) -> float:
        """Relative to the fastest member where durations count."""
        if not (self._by_duration and member.mean_seconds):
            return member.load
        fastest = min(one.mean_seconds for one in self._members if one.mean_seconds)
        return member.load * member.mean_seconds / fastest

    def _usable(self, avoided: Sequence[Member]) -> Sequence[Member]:
        """Members for a page: those that are healthy, not `avoided`, and open; if there are none,
        conditions are dropped from the last. While none is healthy a page waits at one that has
        been started: its process is being replaced."""
        healthy = self._healthy()
        others = [one for one in healthy if one not in avoided]
        open_ones = [one for one in others if one.is_open]
        started = [one for one in self._members if not one.start_problem]
        return open_ones or others or healthy or started or self._members

    def _wake_suspects(self) -> None:
        self._suspect_ended.set()
        self._suspect_ended.clear()


def _unique(values: Iterable[str]) -> list[str]:
    return [value for value in dict.fromkeys(values) if value]


def _common(rows: Sequence[Sequence[Value]]) -> list[Value]:
    """Values that all rows have, in the first row's order."""
    return [value for value in rows[0] if all(value in row for row in rows[1:])]
