"""The native engine: the DeepSeek-OCR runtime of this package, in a child process."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from dsocr import tracing
from dsocr.engines.base import EngineInfo, OnText
from dsocr.engines.deepseek.modes import MODES, mode_specs
from dsocr.engines.deepseek.page_result import page_result
from dsocr.engines.deepseek.prompts import TASKS
from dsocr.engines.deepseek.text_lines import text_layer
from dsocr.engines.deepseek.weights import REPOSITORY, find_weights, missing_files
from dsocr.engines.stats import EngineStats, stats_of
from dsocr.errors import BadCheckpoint
from dsocr.metrics import observe_engine_stage
from dsocr.process.early import start_early
from dsocr.process.inflight import Suspicion
from dsocr.process.packing import unpack_counts, unpack_floats
from dsocr.process.progress import StartProgress
from dsocr.process.supervisor import Supervisor, Timeouts
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.device_list import ALL, parse_devices
from dsocr.runtime.models.registry import read_family
from dsocr.runtime.spec import CheckpointError, ViewSpec
from dsocr.types import NoRepeat, OcrOptions, PageImage, PageResult, Task, Usage

logger = logging.getLogger(__name__)

WORKER = "dsocr.runtime.entry:main"
SPANS = ("preprocess", "wait", "prefill", "decode")
"""Of a page in the engine's process: its views are made; it waits for the device; its views and
prompt; its text."""
INITIAL_MAX_PAGES = 2
"""Pages in flight until the worker reports its own number: the current and the next."""


class NativeEngine:
    """Recognizes pages with the released weights, many at a time."""

    def __init__(self, config: RuntimeConfig, *, worker: str = WORKER, num_peers: int = 0) -> None:
        """`num_peers`: the other members of its pool."""
        self._config, self._worker, self._num_peers = config, worker, num_peers
        self._supervisor: Supervisor | None = None
        self._prompts: Mapping[str, str] = {}
        self.stages: dict[str, float] = {}
        """When each stage of the start was complete, in order; seconds since 1970."""
        self.info = EngineInfo(
            name="native",
            model="DeepSeek-OCR",
            device=config.device,
            tasks=(*TASKS, "custom"),
            modes=MODES,
            streams=True,
            max_concurrency=INITIAL_MAX_PAGES,
            supports_no_repeat=True,
        )
        with contextlib.suppress(CheckpointError, OSError):  # the start reports it
            self._describe(find_weights(config.model_path))

    def _describe(self, weights: Path | None) -> None:
        """The model's name and modes, which its config.json has."""
        if weights is None:
            return
        family, spec = read_family(weights)
        views = _with_max_tiles(spec.views, self._config.max_tiles)
        self._prompts = family.prompts
        self.info = dataclasses.replace(
            self.info,
            model=family.name,
            tasks=(*tasks_of(family.prompts), "custom"),
            modes=mode_specs(views),
        )

    async def start(self) -> None:
        """Loads the weights. Raises `BadCheckpoint` if they are missing or invalid."""
        weights = await asyncio.to_thread(find_weights, self._config.model_path)
        if weights is None:
            raise BadCheckpoint(_no_weights(self._config))
        if self._supervisor is None:
            self._supervisor = Supervisor(
                self._worker,
                _arguments(self._config, weights),
                timeouts=Timeouts(
                    stall=self._config.stall_seconds, start=self._config.start_seconds
                ),
                on_ready=partial(self._on_ready, weights),
                num_peers=self._num_peers,
            )
        await self._supervisor.start()

    def _on_ready(self, weights: Path, ready: dict[str, Any]) -> None:
        """A process that replaces another may have a smaller cache, and take fewer pages."""
        self._describe(weights)
        self.stages = ready.get("stages", {})
        logger.info(
            "%s is ready on %s: %s, attention %s, loaded in %.1f s%s",
            self.info.model,
            *(ready["device"], ready["dtype"], ready["attention"], ready["seconds"]),
            _stage_durations(self.stages),
        )
        self.info = dataclasses.replace(
            self.info,
            device=ready["device"],
            max_concurrency=ready["max_pages"],
            details=(
                ("dtype", ready["dtype"]),
                ("attention", ready["attention"]),
                ("cache", f"{ready['cache_tokens']} tokens, {ready['max_num_seqs']} pages"),
                ("weights", weights.name),
            ),
        )

    @property
    def unhealthy_reason(self) -> str:
        return self._supervisor.unhealthy_reason if self._supervisor is not None else ""

    @property
    def start_progress(self) -> StartProgress | None:
        return self._supervisor.start_progress if self._supervisor is not None else None

    def stats(self) -> EngineStats:
        return stats_of(self._supervisor)

    async def recognize(
        self,
        page: PageImage,
        options: OcrOptions,
        *,
        on_text: OnText | None = None,
        suspicion: Suspicion | None = None,
    ) -> PageResult:
        """Raises `BadRequest`, `ContextTooLong`, `EngineCrashed` and `EngineUnavailable`; with
        peers `WorkerLost`."""
        if self._supervisor is None:
            await self.start()
        assert self._supervisor is not None
        began = time.monotonic()
        response = await self._supervisor.request(
            _request(page, options, self._prompts, drafts=self._config.drafts != "off"),
            page.rgb,
            num_bytes=page.num_bytes,
            on_text=on_text,
            suspicion=suspicion,
        )
        _record_spans(response.get("times", ()))
        return _result(page, response, time.monotonic() - began)

    async def close(self) -> None:
        if self._supervisor is not None:
            await self._supervisor.close()
            self._supervisor = None


def _record_spans(times: Sequence[float]) -> None:
    """What the page did in the engine's process: `times` are `dsocr.runtime.events.Done.times`."""
    if len(times) == len(SPANS) + 1:
        for name, begin, end in zip(SPANS, times, times[1:], strict=False):
            tracing.record(f"ocr.{name}", begin, end)
            observe_engine_stage(name, end - begin)


def start_process_early(config: RuntimeConfig) -> None:
    """Starts the process of an engine that is created later with these settings. Does nothing where
    there are no weights, which the engine reports, or for several devices."""
    weights = find_weights(config.model_path)
    if weights is not None and parse_devices(config.device) == (config.device,) != (ALL,):
        start_early(WORKER, _arguments(config, weights))


def _arguments(config: RuntimeConfig, weights: Path) -> dict[str, Any]:
    return dataclasses.replace(config, model_path=weights.resolve()).to_arguments()


def examine_weights(folder: Path) -> list[tuple[str, Literal["ok", "note", "bad"], str]]:
    """Checks of a weights folder: name, state, text. Loads torch into this process."""
    from dsocr.runtime.weights.check import check_folder

    return [(one.name, one.state, one.detail) for one in check_folder(folder)]


def _with_max_tiles(views: ViewSpec, max_tiles: int | None) -> ViewSpec:
    return dataclasses.replace(views, max_tiles=views.allowed_tiles(max_tiles))


def _stage_durations(stages: dict[str, float]) -> str:
    """Seconds that each stage of the start took, for the log."""
    parts = [
        f"{name} {end - begin:.1f} s"
        for begin, (name, end) in zip(stages.values(), [*stages.items()][1:], strict=False)
    ]
    return f" ({', '.join(parts)})" if parts else ""


def tasks_of(prompts: Mapping[str, str]) -> tuple[Task, ...]:
    """Tasks of a model with these wordings of its own; without any it knows all of them."""
    return tuple(task for task in TASKS if not prompts or task in prompts)


def _request(
    page: PageImage, options: OcrOptions, prompts: Mapping[str, str], *, drafts: bool = False
) -> dict[str, Any]:
    return {
        "size": [page.width, page.height],
        "prompt": prompts.get(options.task, options.prompt),
        "mode": options.mode,
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "no_repeat": _no_repeat(options.no_repeat_ngram),
        "text_layer": text_layer(page) if drafts else [],
    }


def _no_repeat(no_repeat: NoRepeat | None) -> list[int | None] | None:
    return None if no_repeat is None else [no_repeat.ngram, no_repeat.window]


def _result(page: PageImage, response: dict[str, Any], seconds: float) -> PageResult:
    raw: str = response["raw"]
    logprobs = unpack_floats(response["logprobs"])
    text_ends = unpack_counts(response["text_ends"])
    if response["finish_reason"] == "repetition":  # the loop was streamed before it was detected
        raw = raw[: text_ends[-1]]
    return page_result(
        page,
        raw=raw,
        finish_reason=response["finish_reason"],
        logprobs=logprobs,
        text_ends=text_ends,
        usage=Usage(
            vision_tokens=response["image_tokens"],
            prompt_tokens=response["prompt_tokens"],
            completion_tokens=len(logprobs),
            seconds=seconds,
            drafted_tokens=response["drafted_tokens"],
            accepted_tokens=response["accepted_tokens"],
        ),
    )


def _no_weights(config: RuntimeConfig) -> str:
    folder = config.model_path
    if folder is not None and folder.is_dir() and any(folder.glob("*.safetensors")):
        return f"The weights in {folder} are incomplete: {', '.join(missing_files(folder))}."
    if folder is not None and folder.is_dir() and (found := _other_formats(folder)):
        return (
            f"The weights in {folder} are in another format ({found}). "
            f"Use the released *.safetensors files: `dsocr download`."
        )
    where = "No folder is set" if folder is None else f"There are no weights in {folder}"
    return f"{where}, and {REPOSITORY} is not in the Hugging Face cache. Try `dsocr download`."


def _other_formats(folder: Path) -> str:
    """File types of weights that other programs load."""
    suffixes = (".gguf", ".bin", ".pt", ".pth", ".onnx")
    found = {path.suffix for path in folder.iterdir() if path.suffix in suffixes}
    return ", ".join(f"*{suffix}" for suffix in sorted(found))
