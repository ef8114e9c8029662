"""Input processing: requests become sequences, ahead of time in a pool of threads.

A bounded number of requests is prepared ahead, so that the device does not wait and the host's
memory stays small. Requests leave in the order of their arrival. Knows nothing of the device.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

from PIL.Image import Image

from dsocr.runtime.models.family import OcrModel
from dsocr.runtime.scheduling.sequence import SamplingParams, Sequence
from dsocr.runtime.spec import guards_prompt
from dsocr.runtime.text.drafter import Drafting
from dsocr.runtime.text.prompt import PromptError, has_image, prompt_ids, remaining_positions
from dsocr.runtime.text.repetition import RepetitionDetector, TokenKinds
from dsocr.runtime.text.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Request:
    """One page to recognize; its image is upright, RGB, and used if the prompt has `<image>`."""

    request_id: int
    image: Image | Callable[[], Image]
    """The image, or a function that makes it: called in the thread that prepares the request."""
    prompt: str
    mode: str
    """A mode of the model's `spec.views`."""
    params: SamplingParams
    text_layer: tuple[str, ...] = ()
    """Lines of text that the page is likely to repeat, which drafts are looked up in."""


logger = logging.getLogger(__name__)

Prepared = tuple[Request, Sequence | Exception]
"""A request and its sequence, or the error of its preparation, which fails that request alone."""


@dataclass(frozen=True, slots=True)
class InputProcessor:
    """Makes sequences of requests. May be called from several threads."""

    model: OcrModel
    tokenizer: Tokenizer
    kinds: TokenKinds
    max_tiles: int | None = None
    """Tiles of a page; None: the family's own limit."""
    pin: bool = False
    """Whether views are copied to pinned memory, for a GPU."""
    drafting: Drafting | None = None
    """None: nothing is drafted."""
    drafts_on_device: bool = False
    """Whether drafts are looked up there, and sequences bring their references along."""

    def __call__(self, request: Request) -> Prepared:
        began = time.time()
        try:
            sequence = self._sequence(request)
            sequence.prepared = began, time.time()
            return request, sequence
        except PromptError as error:
            return request, error
        except Exception as error:
            logger.exception("a page could not be prepared")
            return request, error

    def _sequence(self, request: Request) -> Sequence:
        views = None
        if has_image(request.prompt):
            image = request.image if isinstance(request.image, Image) else request.image()
            views = self.model.prepare(image, request.mode, max_tiles=self.max_tiles)
            views = views.pinned() if self.pin else views
        drafting, on_device = self.drafting, self.drafts_on_device
        layer = request.text_layer
        count = 0 if views is None else self.model.num_image_tokens(views)
        ids = prompt_ids(self.tokenizer, request.prompt, num_image_tokens=count)
        max_positions = self.model.spec.decoder.max_positions
        max_new_tokens = remaining_positions(len(ids), max_positions=max_positions)
        return Sequence(
            ids,
            request.params,
            max_new_tokens,
            self.tokenizer.special,
            request.request_id,
            views,
            repetition=RepetitionDetector(self.kinds) if request.params.detect_repetition else None,
            guards_prompt=guards_prompt(self.model.spec.decoder),
            drafter=drafting.drafter(layer) if drafting and not on_device else None,
            references=drafting.references(layer) if drafting and on_device else None,
        )


class InputQueue:
    """A queue that prepares its first `max_prepared` requests in an executor."""

    def __init__(
        self,
        processor: Callable[[Request], Prepared],
        *,
        max_prepared: int,
        executor: Executor | None = None,
    ) -> None:
        """Without an executor a request is prepared when it is taken."""
        self._processor, self._max_prepared, self._executor = processor, max_prepared, executor
        self._preparing: deque[tuple[int, Future[Prepared]]] = deque()
        self._queue: deque[Request] = deque()

    def __len__(self) -> int:
        return len(self._preparing) + len(self._queue)

    def add(self, request: Request) -> None:
        self._queue.append(request)
        self._start_preparing()

    def cancel(self, request_id: int) -> None:
        """Removes a request that was not taken yet; unknown ids are ignored."""
        self._queue = deque(one for one in self._queue if one.request_id != request_id)
        for number, future in self._preparing:
            if number == request_id:
                future.cancel()
        self._preparing = deque(one for one in self._preparing if one[0] != request_id)
        self._start_preparing()

    def take(self) -> Prepared | None:
        """The next request, if it is prepared."""
        if self._executor is None:
            return self._processor(self._queue.popleft()) if self._queue else None
        if not self._preparing or not self._preparing[0][1].done():
            return None
        _, future = self._preparing.popleft()
        self._start_preparing()
        return future.result()

    def wait(self, seconds: float) -> None:
        """Waits until the next request is prepared, or for that long."""
        if self._preparing:
            wait([self._preparing[0][1]], timeout=seconds)

    def _start_preparing(self) -> None:
        while (
            self._executor is not None and self._queue and len(self._preparing) < self._max_prepared
        ):
            request = self._queue.popleft()
            future = self._executor.submit(self._processor, request)
            self._preparing.append((request.request_id, future))
