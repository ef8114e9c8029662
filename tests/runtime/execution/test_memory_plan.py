"""The size of the cache: free memory less a reserve, and at least one context."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.devices import DeviceError
from dsocr.runtime.execution.memory_plan import (
    Profile,
    fitting_tokens,
    largest_prompts,
    plan_memory,
)
from dsocr.runtime.execution.vision_runner import VisionRunner
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr

CONTEXT = 8192


def test_the_cache_takes_what_the_reserve_leaves() -> None:
    assert fitting_tokens(10_000_000, 1_000_000, 100, CONTEXT) == 90_000


def test_a_device_too_small_for_a_reserve_still_holds_a_whole_page() -> None:
    assert fitting_tokens(900_000, 800_000, 100, CONTEXT) == CONTEXT


def test_a_device_too_small_for_a_page_is_refused_with_the_numbers() -> None:
    with pytest.raises(DeviceError, match="2 MiB to use; .* 8192 tokens takes 78"):
        fitting_tokens(2 << 20, 0, 10_000, CONTEXT)


def test_a_cpu_holds_two_contexts_and_four_pages(tiny_model: DeepseekOcr) -> None:
    plan = plan_memory(tiny_model, VisionRunner(tiny_model), RuntimeConfig())
    assert (plan.max_num_seqs, plan.cache_tokens) == (4, 2 * CONTEXT)


@pytest.mark.parametrize(("requested", "planned"), [(100, CONTEXT), (50_000, 50_000)])
def test_the_requested_cache_is_planned_but_never_less_than_a_context(
    tiny_model: DeepseekOcr, requested: int, planned: int
) -> None:
    plan = plan_memory(
        tiny_model, VisionRunner(tiny_model), RuntimeConfig(cache_tokens=requested, max_num_seqs=7)
    )
    assert (plan.max_num_seqs, plan.cache_tokens) == (7, planned)


@pytest.mark.parametrize(
    ("num_tokens", "lengths"),
    [(64, [64]), (8192, [CONTEXT]), (12_000, [CONTEXT, 3808]), (20_000, [CONTEXT, CONTEXT, 3616])],
)
def test_the_profiled_prompts_fill_a_step(num_tokens: int, lengths: list[int]) -> None:
    assert largest_prompts(num_tokens, CONTEXT) == lengths


@pytest.mark.usefixtures("one_thread")
def test_the_profile_run_uses_every_part_of_the_model(
    tiny_model: DeepseekOcr,
) -> None:
    vision = VisionRunner(tiny_model)
    vision.pass_pixels = 640**2
    ran: list[str] = []
    parts = {"vision": tiny_model.projector, "decoder": tiny_model.decoder.layers[-1]}
    hooks = [
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
        for name, module in parts.items()
    ]
    try:
        config = RuntimeConfig(max_tiles=2, max_prefill_tokens=64)
        profile = Profile(
            tiny_model, vision, config, max_num_seqs=256, cache_dtype=torch.float8_e4m3fn
        )
        feature_bytes = profile.run_steps()
    finally:
        for hook in hooks:
            hook.remove()

    assert ran.count("vision") >= 2 and ran.count("decoder") == 3
    assert feature_bytes == (16 * 17 + 1 + 20 * 11) * 64 * 4
