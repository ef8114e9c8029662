"""Kernels compiled ahead: for a card that is not here, and on a GPU those that the engine needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsocr.engines.deepseek.native import NativeEngine
from dsocr.engines.deepseek.warm import warm_cache
from dsocr.runtime.compilation.child import KernelCompilation, start_compilation
from dsocr.runtime.compilation.plan import CompilationPlan, plan_compilation
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.kernels.card import card_of_arch
from dsocr.runtime.kernels.triton_compat import INSTALLED
from dsocr.types import OcrOptions, PageImage
from tests.runtime.goldens import golden_page, write_reading_checkpoint
from tests.runtime.recipe import GOLDENS

pytestmark = pytest.mark.skipif(not INSTALLED, reason="needs triton")


def plan_of(folder: Path) -> CompilationPlan:
    config = RuntimeConfig(model_path=GOLDENS / "tiny", max_num_seqs=1)
    return plan_compilation(config, card_of_arch("sm_86"), folder)


@pytest.mark.slow
def test_all_kernels_are_compiled_without_a_gpu(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    compilation = start_compilation(plan)
    assert compilation is not None
    seen: list[tuple[int, int]] = []
    assert compilation.wait(lambda done, total: seen.append((done, total))) == []
    total = seen[0][1]
    assert seen == [(done, total) for done in range(total + 1)]
    assert len({*tmp_path.rglob("*.cubin")}) >= 20
    assert {*tmp_path.rglob("__triton_launcher*.so")} and {*tmp_path.rglob("cuda_utils*.so")}
    assert start_compilation(plan) is None


def test_a_second_process_finds_the_kernels_of_the_first(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    compilation = KernelCompilation(plan)
    plan.mark(0, [])  # as if another process, which held the lock, had compiled them meanwhile
    assert compilation.wait(lambda done, total: None) == []


@pytest.mark.gpu
@pytest.mark.parametrize("cache_dtype", ["auto", "fp8"])
async def test_an_engine_with_a_filled_cache_compiles_nothing(
    tmp_path: Path, cache_dtype: str
) -> None:
    config = RuntimeConfig(
        model_path=write_reading_checkpoint(tmp_path / "model"),
        device="cuda",
        kernel_cache=tmp_path / "kernels",
        cache_dtype=cache_dtype,  # type: ignore[arg-type]
        max_num_seqs=8,
    )
    warm_cache(config, None, lambda done, total: None)
    compiled = {*(tmp_path / "kernels").rglob("*.cubin"), *(tmp_path / "kernels").rglob("*.so")}
    engine = NativeEngine(config)
    await engine.start()
    try:
        image = golden_page("a13_exif6_1200x800.jpg")
        page = PageImage(0, image, image.width, image.height)
        for mode in engine.info.modes:
            options = OcrOptions("custom", mode, "<image>\nFree OCR.", max_tokens=8)
            await engine.recognize(page, options)
    finally:
        await engine.close()
    now = {*(tmp_path / "kernels").rglob("*.cubin"), *(tmp_path / "kernels").rglob("*.so")}
    assert now == compiled
