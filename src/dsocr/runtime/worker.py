"""The worker process: runs the runtime and exchanges frames with its parent
(`dsocr.process.child`).

Received: `read` (a page with its pixels and the name of its mode) and `cancel`, any number at any
time. Sent at the start: `loading`, `progress` (`process.progress`), then `ready` or `unusable`.
`ready` has the number of pages to
keep in flight (`max_pages`: the running ones and a short queue), the tokens of the cache
(`cache_tokens`) and the time at which each stage of the start was complete (`stages`: name ->
seconds since 1970, in order).

Sent afterwards: `events`, a list of `started`, `text`, `done` and `failed`, each with its page's
`id`, in order, and after them `texts`, pairs of a page's id and its new text, for the pages that
are not done; what happens in 25 ms shares a frame. `started` is sent before the device works on the
page, so that the parent knows which pages may have crashed the process. `heartbeat` reports
progress and the load (`RuntimeLoad`, and the memory of a GPU). After a `cancel` an event of that
page may still arrive; none follows `done` or `failed`.
"""

from __future__ import annotations

import gc
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import torch

from dsocr.process.child import BEGAN_AT, Channel, ChildDied, Header, Received
from dsocr.process.progress import ProgressReporter
from dsocr.runtime.assembly import drafts_in, make_runtime
from dsocr.runtime.compilation.cache import use_kernel_cache
from dsocr.runtime.compilation.child import KernelCompilation
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.devices import (
    DeviceError,
    choose_device,
    choose_dtype,
    device_memory,
    dtype_name,
    is_out_of_memory,
    make_current,
)
from dsocr.runtime.event_sender import EventSender
from dsocr.runtime.execution.memory_plan import HOW_TO_SAVE_MEMORY
from dsocr.runtime.kernels.triton_compat import KernelError, preload_triton_key
from dsocr.runtime.loop import Runtime
from dsocr.runtime.models.family import OcrModel
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.spec import CheckpointError
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.runtime.weights.loader import start_loading
from dsocr.runtime.weights.transfer import Transfer
from dsocr.types import NoRepeat, RawPixels

logger = logging.getLogger(__name__)

COLLECT_AFTER = 50_000
"""Objects made and not freed, before the garbage collector looks for cycles."""

_WITHOUT_KERNELS = "DEEPSEEK_OCR_RUNTIME__KERNELS=false runs without kernels, more slowly."

_MB = 1_000_000

Frame = tuple[Header, Received] | None


Compilation = Future[KernelCompilation | None]
"""Kernels that are being compiled in a process of their own, if there are any."""


def main(
    channel: Channel,
    arguments: Header,
    *,
    compilation: Compilation | None = None,
    vocabulary: Future[Tokenizer] | None = None,
) -> None:
    """Loads the model, then serves pages until the channel is closed. `vocabulary` is the
    tokenizer, if it is loaded already."""
    try:
        runtime, sender = _load(channel, arguments, compilation, vocabulary)
    except (CheckpointError, DeviceError, RuntimeError, KernelError) as error:
        channel.send(_unusable(error))
        return
    frames: queue.SimpleQueue[Frame] = queue.SimpleQueue()
    threading.Thread(target=_receive_frames, args=(channel, frames), daemon=True).start()
    while _handle_frames(runtime, frames):
        sender.put(runtime.advance())
        if not runtime.has_work:
            sender.flush()


def _unusable(error: Exception) -> Header:
    if isinstance(error, CheckpointError):
        return {"kind": "unusable", "code": "bad_checkpoint", "message": str(error)}
    if not isinstance(error, DeviceError):
        logger.error("the model could not be loaded", exc_info=error)
    message = str(error).strip().partition("\n")[0]
    if isinstance(error, RuntimeError) and is_out_of_memory(error):
        message = f"The device has too little memory ({message}). {HOW_TO_SAVE_MEMORY}"
    if isinstance(error, KernelError):
        message = f"A kernel cannot run on this GPU ({message}). {_WITHOUT_KERNELS}"
    return {"kind": "unusable", "code": "engine_unavailable", "message": message}


def _load(
    channel: Channel,
    arguments: Header,
    compilation: Compilation | None,
    vocabulary: Future[Tokenizer] | None,
) -> tuple[Runtime, EventSender]:
    began = time.monotonic()
    stages = {"process": BEGAN_AT, "imports": time.time()}

    def mark(stage: str) -> None:
        stages[stage] = time.time()

    progress = ProgressReporter(channel.send)
    config = RuntimeConfig.from_arguments(arguments)
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    device = choose_device(config.device)
    make_current(device)
    dtype = choose_dtype(config.dtype, device)
    channel.send({"kind": "loading", "message": _loading_message(config, device, dtype)})
    if config.drafts == "exact" and not drafts_in(config.drafts, dtype):
        logger.warning("nothing is drafted: DEEPSEEK_OCR_DRAFTS=exact needs float32")
    model, transfer, tokenizer = _load_files(config, device, dtype, progress, mark, vocabulary)
    _wait_for_kernels(config, device, compilation, progress)
    mark("kernels")
    gc.freeze()
    # the decoder's weights arrive meanwhile: what is measured and captured does not depend on them
    runtime, plan = make_runtime(model, tokenizer, config, mark=mark, report=progress.report)
    mark("runtime")
    transfer.wait(partial(_report_weights, progress))
    mark("all weights")
    limit_collections()
    gc.enable()
    sender = EventSender(channel, runtime, partial(device_memory, device))
    sender.send_heartbeats_while_computing(model)
    channel.send(
        {
            "kind": "ready",
            "device": _describe_device(device),
            "dtype": _describe_dtypes(config, dtype),
            "attention": _describe_attention(config, model),
            "seconds": time.monotonic() - began,
            "stages": stages,
            "max_pages": plan.max_num_seqs + max(2, plan.max_num_seqs // 4),
            "max_num_seqs": plan.max_num_seqs,
            "cache_tokens": plan.cache_tokens,
            "reserve_bytes": plan.reserve_bytes,
        }
    )
    return runtime, sender


def limit_collections() -> None:
    """Makes garbage collections rare and short. Torch and the model are several hundred thousand
    objects that stay: a full collection would pause all pages for a tenth of a second. A step makes
    hundreds of short-lived tuples, which are freed without one."""
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def _load_files(
    config: RuntimeConfig,
    device: torch.device,
    dtype: torch.dtype,
    progress: ProgressReporter,
    mark: Callable[[str], None],
    vocabulary: Future[Tokenizer] | None,
) -> tuple[OcrModel, Transfer, Tokenizer]:
    """The model, whose decoder may still be on its way, and its tokenizer, loaded in a thread if it
    is not yet."""
    path = config.model_path
    assert path is not None
    with ThreadPoolExecutor(2) as executor:
        loading = vocabulary or executor.submit(Tokenizer, path)
        if config.kernels and device.type == "cuda" and torch.version.hip is None:
            executor.submit(preload_triton_key)
        _synchronize(device)
        mark("device")
        progress.report("loading weights")
        model, transfer = start_loading(
            path,
            device=device,
            dtype=dtype,
            attention=config.attn_impl,
            kernels=config.kernels,
            expert_dtype=config.expert_dtype,
            on_progress=partial(_report_weights, progress),
        )
        mark("weights")
        tokenizer = loading.result()
    mark("vocabulary")
    return model, transfer, tokenizer


def _wait_for_kernels(
    config: RuntimeConfig,
    device: torch.device,
    compilation: Compilation | None,
    progress: ProgressReporter,
) -> None:
    """Waits for kernels that are being compiled. What fails is compiled at its first launch."""
    if compilation is None:
        if config.kernels and device.type == "cuda":
            use_kernel_cache(config.kernel_cache)
        return
    try:
        running = compilation.result()
        failed = running.wait(partial(progress.report, "compiling kernels")) if running else []
    except (ChildDied, CheckpointError, OSError) as error:
        logger.warning("kernels are compiled one after another: %s", error)
    else:
        if failed:
            logger.warning("kernels that could not be compiled ahead: %s", ", ".join(failed))


def _report_weights(progress: ProgressReporter, done: int, total: int) -> None:
    progress.report("loading weights", done // _MB, total // _MB, "MB")


def _synchronize(device: torch.device) -> None:
    """Waits for the device. The first call opens it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _receive_frames(channel: Channel, frames: queue.SimpleQueue[Frame]) -> None:
    """Moves frames to the loop's queue, so that a cancel takes effect between two steps. None marks
    the end."""
    try:
        while True:
            frames.put(channel.receive())
    except (EOFError, OSError):
        frames.put(None)


def _handle_frames(runtime: Runtime, frames: queue.SimpleQueue[Frame]) -> bool:
    """Passes received frames to the runtime; waits for one if it has no work. False at the end."""
    while not (runtime.has_work and frames.empty()):
        while frames.empty() and runtime.run_idle_work():
            pass
        frame = frames.get()
        if frame is None:
            return False
        header, pixels = frame
        if header["kind"] == "cancel":
            runtime.cancel(header["id"])
        else:
            runtime.submit(_request(header, pixels))
    return True


def _request(header: Header, pixels: Received) -> Request:
    ngram = header["no_repeat"]
    width, height = header["size"]
    return Request(
        request_id=header["id"],
        image=RawPixels(width, height, pixels).image,
        prompt=header["prompt"],
        mode=header["mode"],
        params=SamplingParams(
            max_tokens=header["max_tokens"],
            temperature=header["temperature"],
            top_p=header["top_p"],
            no_repeat=None if ngram is None else NoRepeat(*ngram),
        ),
        text_layer=tuple(header["text_layer"]),
    )


def _loading_message(config: RuntimeConfig, device: torch.device, dtype: torch.dtype) -> str:
    assert config.model_path is not None
    return f"{config.model_path.name} to {device} as {_describe_dtypes(config, dtype)}"


def _describe_dtypes(config: RuntimeConfig, dtype: torch.dtype) -> str:
    description = dtype_name(dtype)
    if config.expert_dtype != "auto":
        description += f", experts {config.expert_dtype}"
    if config.cache_dtype != "auto":
        description += f", cache {config.cache_dtype}"
    return description


def _describe_attention(config: RuntimeConfig, model: OcrModel) -> str:
    used, requested = model.attention, config.attn_impl
    return used if used == requested else f"{used} ({requested} cannot run here)"


def _describe_device(device: torch.device) -> str:
    if device.type != "cuda":
        return str(device)
    return f"{device} ({torch.cuda.get_device_name(device)})"
