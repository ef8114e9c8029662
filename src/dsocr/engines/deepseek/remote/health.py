"""Whether a server gets pages: ejected after failures, resting while it is busy."""

from __future__ import annotations

import asyncio

START_PAGES = 4
"""Pages in flight at a server that has answered nothing yet: one that turns out to be slow then
holds up few pages."""


class ServerHealth:
    """Counts failures in a row. Belongs to the running event loop."""

    def __init__(self, eject_failures: int, max_pages: int) -> None:
        self._eject_failures, self._max_pages = eject_failures, max_pages
        self._num_failures = 0
        self._rest: asyncio.TimerHandle | None = None
        self._usable = asyncio.Event()
        self._usable.set()
        self.ejected_reason = ""
        """Empty while it is not ejected."""
        self.num_ejections = 0
        self.max_pages = min(START_PAGES, max_pages)
        """Pages that it may have in flight now."""

    @property
    def unhealthy_reason(self) -> str:
        return self.ejected_reason or ("The server is busy." if self._rest is not None else "")

    def succeeded(self) -> None:
        """After a page, which also ends an ejection."""
        self.recover()
        self.max_pages = min(self._max_pages, self.max_pages + 1)

    def recover(self) -> None:
        """After a health check."""
        self._num_failures, self.ejected_reason = 0, ""
        self._update()

    def fail(self, reason: str, *, final: bool = False) -> None:
        """After a page or a health check failed; a `final` failure ejects at once."""
        self._num_failures += 1
        if self.ejected_reason or not (final or self._num_failures >= self._eject_failures):
            return
        self.ejected_reason = reason
        self.num_ejections += 1
        self.max_pages = min(START_PAGES, self._max_pages)
        self._update()

    def rest(self, seconds: float) -> None:
        """The server is busy: it gets no pages for so long, and then half as many at a time. Of
        the refusals of pages that were in flight together only the longest time counts."""
        loop = asyncio.get_running_loop()
        if self._rest is None:
            self.max_pages = max(1, self.max_pages // 2)
        elif self._rest.when() >= loop.time() + seconds:
            return
        else:
            self._rest.cancel()
        self._rest = loop.call_later(seconds, self._end_rest)
        self._update()

    async def wait(self, seconds: float) -> bool:
        """Whether it is usable within so long."""
        waiting = asyncio.ensure_future(self._usable.wait())
        try:
            await asyncio.wait({waiting}, timeout=seconds)
            return self._usable.is_set()
        finally:
            waiting.cancel()

    def close(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def _end_rest(self) -> None:
        self._rest = None
        self._update()

    def _update(self) -> None:
        if self.unhealthy_reason:
            self._usable.clear()
        else:
            self._usable.set()
