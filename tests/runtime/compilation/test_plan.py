"""What is compiled together, and when it counts as compiled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dsocr.runtime.compilation.plan import CompilationPlan, plan_compilation
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.execution.memory_plan import MAX_SEQS
from dsocr.runtime.kernels.card import card_of_arch
from dsocr.runtime.models.deepseek_ocr_spec import RELEASED_SPEC, one_of_each_layer
from dsocr.runtime.models.registry import read_spec
from tests.runtime.recipe import GOLDENS

HOPPER = card_of_arch("sm_90")


def plan(folder: Path, **settings: object) -> CompilationPlan:
    return plan_compilation(RuntimeConfig(**settings), HOPPER, folder)  # type: ignore[arg-type]


def test_a_plan_survives_the_way_to_its_process(tmp_path: Path) -> None:
    made = plan(tmp_path, model_path=GOLDENS / "checkpoint-files", cache_dtype="fp8")
    assert CompilationPlan.from_json(made.to_json()) == made
    assert made.max_num_seqs == MAX_SEQS


def test_the_marker_depends_on_all_that_kernels_are_compiled_for(tmp_path: Path) -> None:
    made = plan(tmp_path)
    others = [
        replace(made, card=card_of_arch("sm_86")),
        replace(made, model_path=GOLDENS / "tiny"),
        replace(made, dtype="float16"),
        replace(made, cache_dtype="fp8"),
        replace(made, expert_dtype="int8"),
        replace(made, max_num_seqs=8),
        replace(made, drafts=True),
    ]
    assert len({made.marker, *(other.marker for other in others)}) == 8
    assert not made.marker.exists()
    made.mark(64, [])
    assert made.marker.exists()


def test_without_weights_kernels_are_compiled_for_the_released_sizes(tmp_path: Path) -> None:
    assert read_spec(GOLDENS / "checkpoint-files") == RELEASED_SPEC
    released = plan(tmp_path, model_path=GOLDENS / "checkpoint-files")
    assert plan(tmp_path, model_path=tmp_path).marker == released.marker


def test_a_shortened_model_keeps_a_layer_of_each_kind() -> None:
    short = one_of_each_layer(RELEASED_SPEC)
    assert (short.sam.num_layers, short.sam.global_layers, short.clip.num_layers) == (2, (1,), 1)
    assert (short.decoder.num_layers, short.decoder.num_dense_layers) == (2, 1)
    assert one_of_each_layer(short) == short


@pytest.mark.parametrize(("arch", "dtype"), [("sm_90", "bfloat16"), ("75", "float16")])
def test_the_number_type_follows_the_card(tmp_path: Path, arch: str, dtype: str) -> None:
    assert plan_compilation(RuntimeConfig(), card_of_arch(arch), tmp_path).dtype == dtype


def test_an_unknown_architecture_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'gfx942' is not a known GPU architecture; use one of"):
        card_of_arch("gfx942")
