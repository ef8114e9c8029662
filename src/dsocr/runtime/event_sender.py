"""Sends the runtime's events and heartbeats to the parent; the frames are described in `worker`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from dsocr.process.child import Channel, Header
from dsocr.process.packing import pack_counts, pack_floats
from dsocr.runtime.events import Done, Event, Failed, Started, Text
from dsocr.runtime.loop import Runtime
from dsocr.runtime.models.family import OcrModel

HEARTBEAT_SECONDS = 1.0
FRAME_SECONDS = 0.025
"""Events are held back this long to share a frame, except `started`."""


class EventSender:
    """Sends events, those of many tokens in one frame, and heartbeats."""

    def __init__(
        self,
        channel: Channel,
        runtime: Runtime,
        memory: Callable[[], dict[str, int]] = dict,
    ) -> None:
        """`memory`: what heartbeats report besides the load."""
        self._channel, self._runtime, self._memory = channel, runtime, memory
        self._events: list[Header] = []
        self._sent_at = self._heartbeat_at = time.monotonic()

    def put(self, events: list[Event]) -> None:
        self._events += map(_event_frame, events)
        at_once = any(isinstance(event, Started) for event in events)
        if at_once or time.monotonic() - self._sent_at >= FRAME_SECONDS:
            self.flush()
        self.heartbeat()

    def flush(self) -> None:
        """Sends all events, and then all new text of the pages that are not done."""
        texts = [*self._runtime.take_text()]
        if self._events or texts:
            self._channel.send({"kind": "events", "events": self._events, "texts": texts})
        self._events = []
        self._sent_at = time.monotonic()

    def heartbeat(self, *_: Any) -> None:
        """Sends at most one per second. Also called within steps: the first one of a page takes
        minutes on a CPU."""
        if time.monotonic() - self._heartbeat_at >= HEARTBEAT_SECONDS:
            self._heartbeat_at = time.monotonic()
            load = dataclasses.asdict(self._runtime.load)
            self._channel.send({"kind": "heartbeat", **load, **self._memory()})

    def send_heartbeats_while_computing(self, model: OcrModel) -> None:
        """Sends heartbeats after each layer, besides those after each step. Kernels and graphs
        bypass the modules; their steps are short."""
        for module in model.progress_modules():
            module.register_forward_hook(self.heartbeat)


def _event_frame(event: Event) -> Header:
    match event:
        case Started():
            return {"kind": "started", "id": event.request_id}
        case Text():
            return {"kind": "text", "id": event.request_id, "text": event.text}
        case Failed():
            problem = {"code": event.code, "message": event.message}
            return {"kind": "failed", "id": event.request_id, **problem}
        case Done():
            return {
                "kind": "done",
                "id": event.request_id,
                "finish_reason": event.finish_reason,
                "prompt_tokens": event.num_prompt_tokens,
                "image_tokens": event.num_image_tokens,
                "logprobs": pack_floats([round(logprob, 4) for logprob in event.logprobs]),
                "text_ends": pack_counts(event.text_ends),
                "drafted_tokens": event.num_drafted,
                "accepted_tokens": event.num_accepted,
                "times": event.times,
            }
