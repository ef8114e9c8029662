"""One engine of a pool: what it is doing, and its start, which is repeated until it succeeds."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from dsocr.engines.base import PoolMember
from dsocr.engines.stats import WorkerState

logger = logging.getLogger(__name__)

DURATION_SHARE = 0.2
"""Of the latest page in the mean duration."""
RESTART_SECONDS = 5.0
"""Between two attempts to start a member that did not start."""


@dataclass(slots=True, eq=False)
class Member:
    """An engine of a pool, its pages in flight and its start."""

    engine: PoolMember
    num_pages: int = 0
    """In flight."""
    suspect: object | None = None
    """The request of the one that may have crashed another member's process; None if no such page
    is in flight, or its text is longer than at that crash."""
    on_probation: bool = False
    """Since its process was lost or a page crashed, until a page succeeds. It gets one page at a
    time: a device that fails every page would else take the most, as it is never busy."""
    mean_seconds: float = 0.0
    """Of its latest pages; 0 before the first."""
    start_problem: str = ""
    """Why it is not started; empty once it is, and before the pool's start."""
    first_attempt: asyncio.Event = field(default_factory=asyncio.Event)
    """Set after its first start, successful or not."""
    error: Exception | None = None
    """Of its last start; None if that has succeeded or is the first."""

    @property
    def unhealthy_reason(self) -> str:
        return self.start_problem or self.engine.unhealthy_reason

    @property
    def is_open(self) -> bool:
        """Whether it may get one page more."""
        return not (self.on_probation and self.num_pages)

    @property
    def load(self) -> float:
        """Share of its capacity that it uses with one page more."""
        return (self.num_pages + 1) / self.engine.info.max_concurrency

    def add_duration(self, seconds: float) -> None:
        share = DURATION_SHARE if self.mean_seconds else 1.0
        self.mean_seconds += share * (seconds - self.mean_seconds)

    def state(self) -> WorkerState:
        reason = self.unhealthy_reason
        failed = bool(self.start_problem) and self.error is not None
        stats = self.engine.stats()
        return WorkerState(
            self.engine.info.device,
            "failed" if failed else "starting" if reason else "ready",
            reason,
            pages=self.num_pages,
            restarts=sum(stats.restarts.values()),
            outcomes=stats.outcomes,
            ejections=stats.ejections,
        )

    async def start(self) -> None:
        """Tries until the engine has started."""
        self.start_problem, self.error = "The engine is starting.", None
        self.first_attempt.clear()
        while True:
            try:
                await self.engine.start()
            except Exception as error:
                if str(error) != str(self.error):
                    device = self.engine.info.device
                    logger.error("the engine on %s did not start: %s", device, error)
                self.error = error
                self.start_problem = str(error) or type(error).__name__
            else:
                self.start_problem, self.error = "", None
            self.first_attempt.set()
            if not self.start_problem:
                return
            await asyncio.sleep(RESTART_SECONDS)
