"""Has kernels compiled by a process of its own, while this one does something else."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable

from dsocr.process.child import Child, ChildDied
from dsocr.runtime.compilation.plan import CompilationPlan

logger = logging.getLogger(__name__)

TARGET = "dsocr.runtime.compilation.process:main"


class KernelCompilation:
    """One run of the compiling process."""

    def __init__(self, plan: CompilationPlan) -> None:
        """Starts the process. Raises `ChildDied`."""
        self._child = Child(TARGET, plan.to_json())

    def wait(self, on_progress: Callable[[int, int], None]) -> list[str]:
        """Returns when the process has ended, with the names of kernels that could not be compiled.
        Raises `ChildDied` if it compiled nothing."""
        try:
            while True:
                header, _ = self._child.channel.receive()
                if header["kind"] == "progress":
                    on_progress(header["done"], header["total"])
                elif header["kind"] == "compiled":
                    return list(header["failed"])
                else:
                    raise ChildDied(header["message"])
        except (EOFError, OSError) as error:
            raise ChildDied(self._child.exit_reason()) from error
        finally:
            self._child.kill()


def start_compilation(plan: CompilationPlan) -> KernelCompilation | None:
    """None where all is compiled, or nothing can be compiled side by side: Triton then compiles
    each kernel at its first launch."""
    if not (hasattr(os, "fork") and _has_triton()) or plan.marker.is_file():
        return None
    try:
        return KernelCompilation(plan)
    except ChildDied as error:
        logger.warning("kernels are compiled one after another: %s", error)
        return None


def _has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None
