from __future__ import annotations

import hashlib
import struct
from typing import Any

import pytest

from dsocr.runtime.text.prompt import (
    PromptError,
    PromptTooLong,
    has_image,
    prompt_ids,
    remaining_positions,
)
from dsocr.runtime.text.tokenizer import Tokenizer
from tests.runtime.goldens import golden_json

PROMPTS = golden_json("tokenizer.json")["prompts"]
PREPROCESS = golden_json("preprocess.json.gz")


@pytest.mark.parametrize("case", PROMPTS, ids=lambda case: ascii(case["prompt"])[:40])
def test_prompts_are_laid_out_as_released(tokenizer: Tokenizer, case: dict[str, Any]) -> None:
    image = tokenizer.special.image
    expected = [
        id_
        for token in case["hf_layout"]
        for id_ in ([image] * 3 if token == "IMAGE_TOKENS" else [token])
    ]

    assert prompt_ids(tokenizer, case["prompt"], num_image_tokens=3) == expected


def test_the_ids_of_every_image_and_mode_are_the_released_ones(tokenizer: Tokenizer) -> None:
    counts = {
        (golden["n_image_tokens"], golden["sha256_input_ids_int64le"])
        for case in PREPROCESS["cases"]
        for golden in case["hf"].values()
        if "error" not in golden
    }
    assert len(counts) > 8
    for count, digest in counts:
        ids = prompt_ids(tokenizer, PREPROCESS["prompt"], num_image_tokens=count)
        assert hashlib.sha256(struct.pack(f"<{len(ids)}q", *ids)).hexdigest() == digest


def test_added_tokens_inside_the_users_words_are_single_ids(tokenizer: Tokenizer) -> None:
    ids = prompt_ids(
        tokenizer, "<image>\n<|ref|>a<|/ref|><｜end▁of▁sentence｜>", num_image_tokens=1
    )

    assert ids == [0, 128815, 201, 128816, 67, 128817, 1]


def test_a_prompt_without_an_image_mark_is_text_only(tokenizer: Tokenizer) -> None:
    assert not has_image("no image at all")
    assert tokenizer.special.image not in prompt_ids(tokenizer, "no image at all")


def test_two_image_marks_are_refused_with_their_number() -> None:
    with pytest.raises(PromptError, match="2 <image> marks"):
        has_image("<image> and <image>")


def test_the_rest_of_the_context_is_for_the_output() -> None:
    assert remaining_positions(283, max_positions=8192) == 7909
    assert remaining_positions(8191, max_positions=8192) == 1


def test_what_cannot_fit_is_refused_with_the_numbers() -> None:
    with pytest.raises(PromptTooLong, match=r"take 8192 tokens of the model's context of 8192"):
        remaining_positions(8192, max_positions=8192)
