"""Several engines as one: each page goes to the healthy member with the least outstanding work.

Members are remote servers, or one native engine a GPU. A member that fails to start is started
again in the background; a page of an unavailable member is recognized once more on another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dsocr.engines.base import Engine, EngineInfo, OnText
from dsocr.engines.stats import EngineStats
from dsocr.errors import DsocrError, EngineUnavailable
from dsocr.types import OcrOptions, PageImage, PageResult

logger = logging.getLogger(__name__)

RESTART_SECONDS = 10.0
"""Between two attempts to start a member."""


@dataclass(slots=True, eq=False)
class _Member:
    engine: Engine
    is_started: bool = False
    num_outstanding: int = 0
    start_error: str = ""
    """Why the last start failed; empty if none did."""
    starting: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def unhealthy_reason(self) -> str:
        if self.is_started:
            return self.engine.unhealthy_reason
        return self.start_error or "The engine is starting."

    @property
    def load(self) -> float:
        """Outstanding pages as a share of what the engine reads at once."""
        return self.num_outstanding / max(1, self.engine.info.max_concurrency)

    @contextlib.contextmanager
    def outstanding_page(self) -> Iterator[None]:
        self.num_outstanding += 1
        try:
            yield
        finally:
            self.num_outstanding -= 1


class EnginePool:
    """An `Engine` made of several. All members read the same model."""

    def __init__(self, members: Sequence[Engine]) -> None:
        if not members:
            raise ValueError("an engine pool needs at least one member")
        self._members = [_Member(engine) for engine in members]
        self._num_retries = 0

    @property
    def info(self) -> EngineInfo:
        """What every member can do; the concurrency of those that are started."""
        started = [member.engine.info for member in self._members if member.is_started]
        infos = started or [member.engine.info for member in self._members]
        return EngineInfo(
            name=infos[0].name,
            model=infos[0].model,
            device=_joined(info.device for info in infos),
            tasks=tuple(one for one in infos[0].tasks if all(one in info.tasks for info in infos)),
            modes=tuple(one for one in infos[0].modes if all(one in info.modes for info in infos)),
            streams=all(info.streams for info in infos),
            max_concurrency=sum(info.max_concurrency for info in infos),
            dpi=infos[0].dpi,
            supports_no_repeat=all(info.supports_no_repeat for info in infos),
            details=(*infos[0].details, ("engines", f"{len(started)} of {len(self._members)}")),
        )

    @property
    def unhealthy_reason(self) -> str:
        """Empty while one member is healthy."""
        reasons = [member.unhealthy_reason for member in self._members]
        return "" if not all(reasons) else _joined(reasons)

    def stats(self) -> EngineStats:
        """The sum over all members, with the pages that were read again on another member."""
        stats = [member.engine.stats() for member in self._members]
        restarts: Counter[str] = Counter()
        for one in stats:
            restarts.update(one.restarts)
        return EngineStats(
            running=sum(one.running for one in stats),
            waiting=sum(one.waiting for one in stats),
            restarts=restarts,
            retries=self._num_retries + sum(one.retries for one in stats),
        )

    async def start(self) -> None:
        """Returns when the first member is started; the others go on starting.

        Raises the error of the first member when none can be started.
        """
        attempts = [asyncio.ensure_future(_start(member)) for member in self._members]
        pending = set(attempts)
        try:
            while pending and not any(member.is_started for member in self._members):
                _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            for attempt in attempts:
                attempt.cancel()
            raise
        if not any(member.is_started for member in self._members):
            raise next(error for error in (one.result() for one in attempts) if error)
        for member, attempt in zip(self._members, attempts, strict=True):
            member.starting = asyncio.create_task(_start_again(member, attempt))

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
    ) -> PageResult:
        """Raises what the member raises, `EngineUnavailable` after a second member failed."""
        stream = _ResumableStream(on_text) if on_text is not None else None
        member = self._choose()
        try:
            return await _recognize(member, page, options, stream)
        except EngineUnavailable as error:
            other = self._choose(without=member)
            if other is member:
                raise
            logger.warning("a page is read on another engine: %s", error.message)
            self._num_retries += 1
            if stream is not None:
                stream.restart()
            return await _recognize(other, page, options, stream)

    async def close(self) -> None:
        for member in self._members:
            if member.starting is not None:
                member.starting.cancel()
                await asyncio.gather(member.starting, return_exceptions=True)
                member.starting = None
        await asyncio.gather(*(member.engine.close() for member in self._members))

    def _choose(self, without: _Member | None = None) -> _Member:
        """The least loaded of the healthy members, else of the started ones: these restart
        themselves, and pages wait in them."""
        candidates = [member for member in self._members if member is not without]
        healthy = [member for member in candidates if not member.unhealthy_reason]
        started = [member for member in candidates if member.is_started]
        if not healthy and without is not None:
            return without
        usable = healthy or started
        if not usable:
            raise EngineUnavailable(self.unhealthy_reason)
        return min(usable, key=lambda member: member.load)


class _ResumableStream:
    """Passes on the text of a page that is read a second time from where the first reading ended.

    A second reading that does not begin like the first one is not passed on: its text is in the
    page's result.
    """

    def __init__(self, on_text: OnText) -> None:
        self._on_text = on_text
        self._passed_on = self._text = ""

    def __call__(self, piece: str) -> None:
        self._text += piece
        if len(self._text) > len(self._passed_on) and self._text.startswith(self._passed_on):
            new, self._passed_on = self._text[len(self._passed_on) :], self._text
            self._on_text(new)

    def restart(self) -> None:
        self._text = ""


async def _recognize(
    member: _Member, page: PageImage, options: OcrOptions, on_text: OnText | None
) -> PageResult:
    with member.outstanding_page():
        return await member.engine.recognize(page, options, on_text=on_text)


async def _start(member: _Member) -> DsocrError | None:
    """Starts a member; the error if it cannot be started."""
    try:
        await member.engine.start()
    except DsocrError as error:
        member.start_error = error.message
        return error
    member.is_started, member.start_error = True, ""
    return None


async def _start_again(member: _Member, attempt: asyncio.Future[DsocrError | None]) -> None:
    """Starts a member until it is started."""
    error = await attempt
    while error is not None:
        logger.error("an engine of the pool did not start: %s", error.message)
        await asyncio.sleep(RESTART_SECONDS)
        error = await _start(member)


def _joined(words: Iterator[str] | Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(words))
