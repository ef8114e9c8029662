"""The native engine on one device, or a pool of native engines on several."""

from __future__ import annotations

from dataclasses import replace

from dsocr.engines.base import Engine
from dsocr.engines.deepseek.native import WORKER, NativeEngine
from dsocr.engines.pool import EnginePool
from dsocr.errors import EngineUnavailable
from dsocr.process.child import Child, ChildDied, ChildTimeout
from dsocr.process.machine import num_cores
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.device_list import ALL, parse_devices

COUNT_GPUS = "dsocr.runtime.gpu_count:main"
COUNT_SECONDS = 60.0
"""Opening many GPUs whose driver is not kept loaded takes seconds for each."""


def create_engine(config: RuntimeConfig, *, worker: str = WORKER) -> Engine:
    """One engine for each device of `config.device`, in a pool if there are several.

    Blocks while the GPUs are counted for `all`. Raises `EngineUnavailable` if they cannot be
    counted, and `ValueError` for a list that `parse_devices` refuses.
    """
    devices = devices_of(config.device)
    if len(devices) == 1:
        return NativeEngine(replace(config, device=devices[0]), worker=worker)
    threads = config.threads or max(1, num_cores() // len(devices))
    return EnginePool(
        [
            NativeEngine(
                replace(config, device=device, threads=threads),
                worker=worker,
                num_peers=len(devices) - 1,
            )
            for device in devices
        ]
    )


def devices_of(setting: str) -> tuple[str, ...]:
    """The devices of the setting. `all`: every GPU, or what `auto` selects where there is none."""
    devices = parse_devices(setting)
    if devices != (ALL,):
        return devices
    count = _count_gpus()
    return tuple(f"cuda:{number}" for number in range(count)) or ("auto",)


def _count_gpus() -> int:
    try:
        child = Child(COUNT_GPUS)
        try:
            answer, _ = child.call({}, timeout=COUNT_SECONDS)
        finally:
            child.kill()
    except (ChildDied, ChildTimeout) as error:
        raise EngineUnavailable(
            "The GPUs cannot be counted; name them, such as DEEPSEEK_OCR_DEVICE=cuda:0,cuda:1."
        ) from error
    return int(answer["gpus"])
