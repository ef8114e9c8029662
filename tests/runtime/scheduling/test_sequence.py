"""A sequence's chunks: any split of prompt, image and output gives the same tokens."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.scheduling.sequence import SamplingParams, Sequence
from dsocr.runtime.text.tokenizer import SpecialTokens

IMAGE = 9
SPECIAL = SpecialTokens(bos=0, eos=1, image=IMAGE, cells=frozenset())
PROMPT = [0, 5, IMAGE, IMAGE, IMAGE, IMAGE, 6, 7]
OUTPUT = [11, 12, 13]
FEATURES = torch.arange(8.0).view(4, 2)


def page() -> Sequence:
    one = Sequence(list(PROMPT), SamplingParams(), 50, SPECIAL, features=FEATURES)
    for token in OUTPUT:
        one.append(token, -0.1, ending=one.ending_with(token))
    return one


@pytest.mark.parametrize("size", range(1, 12))
def test_chunks_of_any_size_add_up_to_the_whole(size: int) -> None:
    one, length = page(), len(PROMPT + OUTPUT)
    chunks = [one.chunk(start, min(size, length - start)) for start in range(0, length, size)]

    assert [token for chunk in chunks for token in chunk.token_ids] == PROMPT + OUTPUT
    placed = [
        (chunk.num_cached + row, chunk.features[index].tolist())
        for chunk in chunks
        if chunk.features is not None
        for index, row in enumerate(chunk.feature_rows)
    ]
    assert placed == [(2 + index, FEATURES[index].tolist()) for index in range(4)]


@pytest.mark.parametrize(("start", "length"), [(0, 2), (6, 2), (6, 5), (10, 1)])
def test_a_chunk_without_placeholders_has_no_features(start: int, length: int) -> None:
    chunk = page().chunk(start, length)
    assert chunk.features is None and len(chunk.token_ids) == length


def test_a_sequence_is_decoding_while_its_first_token_is_pending() -> None:
    one = Sequence(list(PROMPT), SamplingParams(max_tokens=2), 50, SPECIAL, features=FEATURES)
    one.num_cached = len(PROMPT)
    assert not one.is_decoding

    one.num_pending = 1
    assert one.is_decoding and one.can_generate

    one.num_pending = 2
    assert not one.can_generate
