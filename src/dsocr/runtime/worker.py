"""The runtime in a process of its own: frames in, frames out (`dsocr.process.child`).

In: `read` (a page with its pixels) and `cancel`, any number at any time. Out, while it starts:
`loading`, then `ready` or `unusable`. `ready` says how many pages are worth having in flight
(`max_pages`: those that run and a short queue), how many tokens the cache holds (`cache_tokens`),
and when each part of the start was done (`stages`: name -> seconds since 1970, in order).

Then `events`: a list of `started`, `text`, `done` and `failed`, each with its page's `id`, in the
order they came; the text of many tokens and the news of many pages share a frame, sent every 25 ms.
`started` is sent before the device first touches the page, so that a death finds its suspects.
A `beat` says that work goes on, and how full the runtime is (`Load`). After a `cancel` an event of
that page may still be under way; none follows a `done` or a `failed`.
"""

from __future__ import annotations

import dataclasses
import gc
import logging
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from dsocr.process.child import BEGAN_AT, Channel, Header
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.devices import (
    DeviceError,
    choose_device,
    choose_dtype,
    dtype_name,
    is_out_of_memory,
    make_current,
)
from dsocr.runtime.execution.memory_plan import HOW_TO_NEED_LESS
from dsocr.runtime.kernels.triton_compat import KernelError, preload_triton_key
from dsocr.runtime.loop import Done, Event, Failed, Runtime, Started, Text, runtime_for
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.preprocess import Resolution
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.spec import CheckpointError
from dsocr.runtime.text.ngram import NoRepeat
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.runtime.weights.loader import load_model

logger = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
FRAME_SECONDS = 0.025
"""News younger than this waits for more, unless a page starts."""

_WITHOUT_KERNELS = "DEEPSEEK_OCR_RUNTIME__KERNELS=false goes without, more slowly."

Mail = tuple[Header, bytearray] | None


def main(channel: Channel, arguments: Header) -> None:
    """Loads the model, then reads pages until the other side hangs up."""
    try:
        runtime, outbox = _load(channel, arguments)
    except (CheckpointError, DeviceError, RuntimeError, KernelError) as error:
        channel.send(_unusable(error))
        return
    inbox: queue.SimpleQueue[Mail] = queue.SimpleQueue()
    threading.Thread(target=_collect, args=(channel, inbox), daemon=True).start()
    while _take_mail(runtime, inbox):
        outbox.put(runtime.step())
        if not runtime.has_work:
            outbox.flush()


class Outbox:
    """Gathers events, so that a frame carries the news of many tokens."""

    def __init__(self, channel: Channel, runtime: Runtime) -> None:
        self._channel, self._runtime = channel, runtime
        self._frames: list[Header] = []
        self._texts: dict[int, Header] = {}
        self._sent_at = self._beat_at = time.monotonic()

    def put(self, events: list[Event]) -> None:
        at_once = False
        for event in events:
            if isinstance(event, Text) and event.request_id in self._texts:
                self._texts[event.request_id]["text"] += event.text
                continue
            frame = _frame(event)
            self._frames.append(frame)
            if isinstance(event, Text):
                self._texts[event.request_id] = frame
            at_once = at_once or isinstance(event, Started)
        if at_once or time.monotonic() - self._sent_at >= FRAME_SECONDS:
            self.flush()
        self.beat()

    def flush(self) -> None:
        if self._frames:
            self._channel.send({"kind": "events", "events": self._frames})
        self._frames, self._texts = [], {}
        self._sent_at = time.monotonic()

    def beat(self, *_: Any) -> None:
        """At most one a second, also within a step: on a CPU a page's first takes minutes."""
        if time.monotonic() - self._beat_at >= BEAT_SECONDS:
            self._beat_at = time.monotonic()
            self._channel.send({"kind": "heartbeat", **dataclasses.asdict(self._runtime.load)})


def _unusable(error: Exception) -> Header:
    if isinstance(error, CheckpointError):
        return {"kind": "unusable", "code": "bad_checkpoint", "message": str(error)}
    if not isinstance(error, DeviceError):
        logger.error("the model could not be loaded", exc_info=error)
    message = str(error).strip().partition("\n")[0]
    if isinstance(error, RuntimeError) and is_out_of_memory(error):
        message = f"The device has too little memory ({message}). {HOW_TO_NEED_LESS}"
    if isinstance(error, KernelError):
        message = f"A kernel cannot run on this GPU ({message}). {_WITHOUT_KERNELS}"
    return {"kind": "unusable", "code": "engine_unavailable", "message": message}


def _load(channel: Channel, arguments: Header) -> tuple[Runtime, Outbox]:
    began = time.monotonic()
    stages = {"process": BEGAN_AT, "imports": time.time()}

    def mark(stage: str) -> None:
        stages[stage] = time.time()

    path = Path(arguments["model_path"])
    config = RuntimeConfig(**{**arguments, "model_path": path})
    device = choose_device(config.device)
    make_current(device)
    dtype = choose_dtype(config.dtype, device)
    number_type = dtype_name(dtype)
    if config.expert_dtype != "auto":
        number_type += f", experts {config.expert_dtype}"
    if config.cache_dtype != "auto":
        number_type += f", cache {config.cache_dtype}"
    words = f"{path.name} to {device} as {number_type}"
    channel.send({"kind": "loading", "message": words})
    wish = config.attn_impl
    with ThreadPoolExecutor(2) as beside:
        vocabulary = beside.submit(Tokenizer, path)
        if config.kernels and device.type == "cuda" and torch.version.hip is None:
            beside.submit(preload_triton_key)
        _wait_for(device)
        mark("device")
        model = load_model(
            path,
            device=device,
            dtype=dtype,
            attention=wish,
            kernels=config.kernels,
            expert_dtype=config.expert_dtype,
        )
        _wait_for(device)
        mark("weights")
        tokenizer = vocabulary.result()
    mark("vocabulary")
    runtime, room = runtime_for(model, tokenizer, config, mark=mark)
    mark("runtime")
    # torch and the model are a few hundred thousand objects that stay: each time the collector
    # looked through them, all pages waited for a tenth of a second
    gc.freeze()
    outbox = Outbox(channel, runtime)
    _beat_while_computing(model, outbox)
    used = model.attention
    channel.send(
        {
            "kind": "ready",
            "device": _describe(device),
            "dtype": number_type,
            "attention": used if used == wish else f"{used} ({wish} cannot run here)",
            "seconds": time.monotonic() - began,
            "stages": stages,
            "max_pages": room.max_num_seqs + max(2, room.max_num_seqs // 4),
            "max_num_seqs": room.max_num_seqs,
            "cache_tokens": room.cache_tokens,
            "reserve_bytes": room.reserve_bytes,
        }
    )
    return runtime, outbox


def _wait_for(device: torch.device) -> None:
    """The first time it opens the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _collect(channel: Channel, inbox: queue.SimpleQueue[Mail]) -> None:
    """Moves frames to the loop, so that a cancel is seen between two tokens."""
    try:
        while True:
            inbox.put(channel.receive())
    except (EOFError, OSError):
        inbox.put(None)


def _take_mail(runtime: Runtime, inbox: queue.SimpleQueue[Mail]) -> bool:
    """Hands over what has come; waits where there is nothing to do. False at the end."""
    while not (runtime.has_work and inbox.empty()):
        while inbox.empty() and runtime.run_idle_work():
            pass
        mail = inbox.get()
        if mail is None:
            return False
        header, pixels = mail
        if header["kind"] == "cancel":
            runtime.cancel(header["id"])
        else:
            runtime.submit(_request(header, pixels))
    return True


def _request(header: Header, pixels: bytearray) -> Request:
    ngram = header["no_repeat"]
    return Request(
        request_id=header["id"],
        image=partial(Image.frombuffer, "RGB", tuple(header["size"]), pixels, "raw", "RGB", 0, 1),
        prompt=header["prompt"],
        resolution=Resolution(*header["resolution"]),
        params=SamplingParams(
            max_tokens=header["max_tokens"],
            temperature=header["temperature"],
            top_p=header["top_p"],
            no_repeat=None if ngram is None else NoRepeat(*ngram),
        ),
    )


def _frame(event: Event) -> Header:
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
                "logprobs": [round(logprob, 4) for logprob in event.logprobs],
                "text_ends": event.text_ends,
            }


def _beat_while_computing(model: DeepseekOcr, outbox: Outbox) -> None:
    """Every layer done is progress; where kernels and graphs pass the modules by, every step is."""
    for layers in (
        model.sam_model.blocks,
        model.vision_model.transformer.layers,
        model.decoder.layers,
    ):
        for layer in layers:
            layer.register_forward_hook(outbox.beat)


def _describe(device: torch.device) -> str:
    if device.type != "cuda":
        return str(device)
    return f"{device} ({torch.cuda.get_device_name(device)})"
