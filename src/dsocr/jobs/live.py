"""Text and blocks of pages while they are read: sent to followers in this process, never stored."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from dsocr.pipeline.events import (
    BlockClosed,
    OnEvent,
    PageDone,
    PageEvent,
    PageReset,
    PageStarted,
    TextDelta,
)


@dataclass(slots=True)
class _RunningPage:
    """The events of a page since it was started, for followers that come later."""

    started: PageStarted
    text: str = ""
    blocks: list[BlockClosed] = field(default_factory=list)

    def add(self, event: PageEvent) -> None:
        if isinstance(event, TextDelta):
            self.text += event.text
        elif isinstance(event, BlockClosed):
            self.blocks.append(event)
        elif isinstance(event, PageReset):
            self.text = ""
            self.blocks.clear()

    def events(self) -> Iterator[PageEvent]:
        yield self.started
        if self.text:
            yield TextDelta(self.started.index, self.text)
        yield from self.blocks


@dataclass(slots=True)
class _RunningJob:
    expected: bool = False
    """Its pages are streamed from the first on: a follower comes soon."""
    followers: list[OnEvent] = field(default_factory=list)
    pages: dict[int, _RunningPage] = field(default_factory=dict)


class LiveEvents:
    """The pages that are being read, of jobs that are followed or will be. Used on the event loop
    only."""

    def __init__(self) -> None:
        self._jobs: defaultdict[str, _RunningJob] = defaultdict(_RunningJob)

    def expect_follower(self, job_id: str) -> None:
        self._jobs[job_id].expected = True

    def observer(self, job_id: str) -> OnEvent | None:
        """Takes the events of the job's pages; None if they are not streamed: an engine does not
        stream text that nothing takes."""
        job = self._jobs.get(job_id)
        if job is None or not (job.expected or job.followers):
            return None
        return lambda event: self._publish(job_id, event)

    @contextlib.contextmanager
    def follow(self, job_id: str, on_event: OnEvent) -> Iterator[None]:
        """Calls `on_event` for what the running pages have so far, and then for each event."""
        job = self._jobs[job_id]
        for page in list(job.pages.values()):
            for event in page.events():
                on_event(event)
        job.followers.append(on_event)
        try:
            yield
        finally:
            job.followers.remove(on_event)
            if not (job.expected or job.followers):
                self._jobs.pop(job_id, None)

    def end(self, job_id: str) -> None:
        """The job is not read any more by this process."""
        job = self._jobs.get(job_id)
        if job is None:
            return
        job.expected = False
        job.pages.clear()
        if not job.followers:
            del self._jobs[job_id]

    def _publish(self, job_id: str, event: PageEvent) -> None:
        job = self._jobs.get(job_id)
        if job is None:
            return
        if isinstance(event, PageDone):
            job.pages.pop(event.page.index, None)
        elif isinstance(event, PageStarted):
            job.pages[event.index] = _RunningPage(event)
        elif event.index in job.pages:
            job.pages[event.index].add(event)
        for follower in list(job.followers):
            follower(event)
