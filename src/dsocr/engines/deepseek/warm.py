"""Fills the kernel cache before the first start, also on a machine without a GPU or weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from dsocr.engines.deepseek.weights import find_weights
from dsocr.engines.selection import NATIVE_PACKAGES, is_installed
from dsocr.errors import BadRequest, EngineUnavailable
from dsocr.process.child import ChildDied
from dsocr.runtime.compilation.cache import use_kernel_cache
from dsocr.runtime.compilation.child import KernelCompilation
from dsocr.runtime.compilation.plan import plan_compilation
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.kernels.card import Card, card_of, card_of_arch, open_device
from dsocr.runtime.spec import CheckpointError


@dataclass(frozen=True, slots=True)
class WarmCache:
    """A kernel cache that has all kernels of a configuration."""

    folder: Path
    arch: str
    was_complete: bool
    """Nothing was to be compiled."""
    failed: tuple[str, ...] = ()
    """Kernels that could not be compiled; they are tried again at their first launch."""


def warm_cache(
    config: RuntimeConfig, arch: str | None, on_progress: Callable[[int, int], None]
) -> WarmCache:
    """Compiles the kernels of the settings for an architecture, or for the GPU that they name.
    `on_progress` gets the number of compiled kernels and of all. Raises `BadRequest` and
    `EngineUnavailable`."""
    missing = [name for name in (*NATIVE_PACKAGES, "triton") if not is_installed(name)]
    if missing:
        raise EngineUnavailable(
            f"Not installed: {', '.join(missing)}. Install them: pip install 'dsocr[native]'."
        )
    config = replace(config, model_path=find_weights(config.model_path))
    plan = plan_compilation(config, _card(config, arch), use_kernel_cache(config.kernel_cache))
    try:
        if plan.marker.is_file():
            return WarmCache(plan.folder, plan.card.arch, was_complete=True)
        failed = KernelCompilation(plan).wait(on_progress)
    except (ChildDied, CheckpointError) as error:
        raise EngineUnavailable(f"The kernels could not be compiled: {error}") from error
    return WarmCache(plan.folder, plan.card.arch, was_complete=False, failed=tuple(failed))


def _card(config: RuntimeConfig, arch: str | None) -> Card:
    if arch is not None:
        try:
            return card_of_arch(arch)
        except ValueError as error:
            raise BadRequest(str(error)) from error
    opened = open_device(config.device)
    if opened is None:
        raise BadRequest("There is no CUDA GPU here; name its architecture, such as --arch sm_90.")
    return card_of(*opened)
