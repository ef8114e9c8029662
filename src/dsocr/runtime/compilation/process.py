"""The compiling process: records what a configuration launches and compiles it on all cores.

Frames to its parent: `progress` with `done` and `total`, then `compiled` with the names of the
kernels that could not be (`failed`), or `unusable` with a `message`.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from dsocr.process.child import Channel, Header
from dsocr.process.machine import memory_bytes, num_cores
from dsocr.runtime.compilation.cache import VARIABLE
from dsocr.runtime.compilation.forks import run_forked
from dsocr.runtime.compilation.launchers import (
    build_driver_code,
    build_launcher,
    driver_to_link,
)
from dsocr.runtime.compilation.plan import CompilationPlan
from dsocr.runtime.torch_import import import_torch

if TYPE_CHECKING:
    from dsocr.runtime.compilation.launches import Launch

logger = logging.getLogger(__name__)

LOCK = "dsocr.lock"
MAX_PROCESSES = 32
"""With more the kernel that takes longest is still the last."""
PROCESS_BYTES = 1 << 29
"""Memory of a compiler at work, at most."""
OnProgress = Callable[[int, int], None]
"""Gets the number of kernels that are compiled and of all."""


def main(channel: Channel, arguments: Header) -> None:
    gc.disable()  # imports make many objects and no garbage

    def report(done: int, total: int) -> None:
        channel.send({"kind": "progress", "done": done, "total": total})

    try:
        failed = compile_ahead(CompilationPlan.from_json(arguments), report)
    except Exception as error:
        logger.error("the kernels could not be compiled ahead", exc_info=error)
        channel.send({"kind": "unusable", "message": str(error) or type(error).__name__})
    else:
        channel.send({"kind": "compiled", "failed": failed})


def compile_ahead(plan: CompilationPlan, report: OnProgress) -> list[str]:
    """Compiles what the plan's folder lacks; the names of what could not be compiled. One process
    at a time does so in a folder; the others wait for it."""
    os.environ[VARIABLE] = str(plan.folder)
    os.environ.pop("TRITON_INTERPRET", None)
    import_torch()
    with _locked(plan), driver_to_link():
        if plan.marker.is_file():
            return []
        launches = _recorded(plan)
        jobs: list[Callable[[], None]] = [
            build_driver_code,
            *(partial(_build, launch) for launch in launches),
        ]
        report(0, len(jobs))
        left = run_forked(jobs, _num_processes(), lambda done: report(done, len(jobs)))
        names = ["launcher", *(launch.name for launch in launches)]
        failed = sorted({names[index] for index in left})
        plan.mark(len(jobs) - len(left), failed)
    return failed


def _num_processes() -> int:
    """One for each core, as far as the memory has room; of many cores, one is left to the engine,
    which is starting."""
    cores = num_cores()
    fitting = (memory_bytes() or sys.maxsize) // PROCESS_BYTES
    return max(1, min(cores - 1 if cores > 2 else cores, fitting, MAX_PROCESSES))


def _build(launch: Launch) -> None:
    build_launcher(launch.compile())


def _recorded(plan: CompilationPlan) -> list[Launch]:
    """What the plan's model launches on its card."""
    from dsocr.runtime.compilation.launches import launches_of

    try:
        return launches_of(plan)
    except NotImplementedError:  # this torch defines fewer shapes natively
        import_module("torch._meta_registrations")
        return launches_of(plan)


@contextlib.contextmanager
def _locked(plan: CompilationPlan) -> Iterator[None]:
    import fcntl

    plan.folder.mkdir(parents=True, exist_ok=True)
    with (plan.folder / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
