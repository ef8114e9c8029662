"""Pages on their way in: prompt and views are made ahead, in threads where there are some.

So many at a time that the device need not wait and the host's memory stays small. Pages leave in
the order they came. Knows nothing of the device.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

from PIL.Image import Image

from dsocr.runtime.scheduling.preprocess import Resolution, num_image_tokens, prepare
from dsocr.runtime.scheduling.sequence import SamplingParams, Sequence
from dsocr.runtime.text.prompt import PromptError, has_image, prompt_ids, room_for_answer
from dsocr.runtime.text.repetition import RepetitionWatch, TokenKinds
from dsocr.runtime.text.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Request:
    """One page to read. The image is upright and RGB; a prompt without `<image>` ignores it."""

    request_id: int
    image: Image | Callable[[], Image]
    """It, or what makes it: called where the page is prepared, not where pages are read."""
    prompt: str
    resolution: Resolution
    params: SamplingParams


logger = logging.getLogger(__name__)

Prepared = tuple[Request, Sequence | Exception]
"""What kept a page from being prepared is that page's failure, not the process's."""


@dataclass(frozen=True, slots=True)
class InputProcessor:
    """Requests to sequences. May be called from several threads."""

    tokenizer: Tokenizer
    kinds: TokenKinds
    max_positions: int
    max_tiles: int
    pin: bool = False
    """Whether a GPU will read the views."""

    def __call__(self, request: Request) -> Prepared:
        try:
            return request, self._sequence(request)
        except PromptError as error:
            return request, error
        except Exception as error:
            logger.exception("a page could not be prepared")
            return request, error

    def _sequence(self, request: Request) -> Sequence:
        views = None
        if has_image(request.prompt):
            image = request.image if isinstance(request.image, Image) else request.image()
            views = prepare(image, request.resolution, max_tiles=self.max_tiles)
            views = views.pinned() if self.pin else views
        count = 0 if views is None else num_image_tokens(views)
        ids = prompt_ids(self.tokenizer, request.prompt, num_image_tokens=count)
        room = room_for_answer(len(ids), max_positions=self.max_positions)
        return Sequence(
            ids,
            request.params,
            room,
            self.tokenizer.special,
            request.request_id,
            views,
            watch=RepetitionWatch(self.kinds) if request.params.watch else None,
        )


class InputQueue:
    """A queue whose first `ahead` pages are being prepared."""

    def __init__(
        self,
        preparation: Callable[[Request], Prepared],
        *,
        ahead: int,
        pool: Executor | None = None,
    ) -> None:
        """Without a pool a page is prepared when it is taken."""
        self._preparation, self._ahead, self._pool = preparation, ahead, pool
        self._begun: deque[tuple[int, Future[Prepared]]] = deque()
        self._queue: deque[Request] = deque()

    def __len__(self) -> int:
        return len(self._begun) + len(self._queue)

    def add(self, request: Request) -> None:
        self._queue.append(request)
        self._begin()

    def cancel(self, request_id: int) -> None:
        """Forgets a page that was not taken yet."""
        self._queue = deque(one for one in self._queue if one.request_id != request_id)
        for number, future in self._begun:
            if number == request_id:
                future.cancel()
        self._begun = deque(one for one in self._begun if one[0] != request_id)
        self._begin()

    def take(self) -> Prepared | None:
        """The next page, if it is ready."""
        if self._pool is None:
            return self._preparation(self._queue.popleft()) if self._queue else None
        if not self._begun or not self._begun[0][1].done():
            return None
        _, future = self._begun.popleft()
        self._begin()
        return future.result()

    def wait(self, seconds: float) -> None:
        """Until the next page is ready, at most so long."""
        if self._begun:
            wait([self._begun[0][1]], timeout=seconds)

    def _begin(self) -> None:
        while self._pool is not None and self._queue and len(self._begun) < self._ahead:
            request = self._queue.popleft()
            future = self._pool.submit(self._preparation, request)
            self._begun.append((request.request_id, future))
