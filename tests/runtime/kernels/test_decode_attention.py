"""One new token per sequence against cache blocks in any order."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dsocr.runtime.kernels import fp8_cache
from dsocr.runtime.kernels.decode_attention import (
    DecodeSequences,
    Split,
    decode_attention,
    decode_attention_fused,
)
from dsocr.runtime.kernels.triton_compat import tl, triton
from dsocr.runtime.layers.rotary import rotate
from tests.runtime.kernels.conftest import Draw, near

FP8 = torch.float8_e4m3fn
SIZE = 16


def random_inputs(
    draw: Draw, lengths: list[int], *, heads: int, dim: int
) -> tuple[list[torch.Tensor], DecodeSequences]:
    """qkv, cosines, sines and a cache with the sequences' blocks in random order; the tables have
    one sequence more than the batch, and one row is padding."""
    max_length = max(lengths)
    counts = [-(-length // SIZE) for length in lengths]
    shuffled = torch.randperm(sum(counts), generator=torch.Generator().manual_seed(3)).int()
    tables = torch.zeros(len(lengths) + 1, max(counts), dtype=torch.int32)
    for row, part in enumerate(shuffled.split(counts)):
        tables[row + 1, : len(part)] = part
    known = torch.tensor([[0, 7], *([length, 7] for length in lengths)], dtype=torch.int32)
    rows = torch.tensor([*range(len(lengths), 0, -1), -1], dtype=torch.int32)
    tensors = [
        draw(len(rows), 3 * heads * dim),
        draw(max_length, dim),
        draw(max_length, dim),
        draw(2, sum(counts), SIZE, heads, dim),
    ]
    device = draw.device
    return tensors, DecodeSequences(rows.to(device), known.to(device)[:, 0], tables.to(device))


@pytest.mark.parametrize("cache_dtype", [torch.float32, FP8])
@pytest.mark.parametrize("split", [Split(1, 16, 4, 1), Split(3, 16, 4, 2)])
@pytest.mark.parametrize("lengths", [[1], [2, 17, 16], [70, 33]])
def test_tokens_are_attended_to_in_the_order_of_the_block_table(
    draw: Draw, lengths: list[int], split: Split, cache_dtype: torch.dtype
) -> None:
    (qkv, cosine, sine, blocks), sequences = random_inputs(draw, lengths, heads=2, dim=16)
    blocks = blocks.to(cache_dtype)
    written = blocks.clone()
    plain = decode_attention(qkv, cosine, sine, blocks, sequences)
    counters = torch.zeros(len(qkv) * 2, dtype=torch.int32, device=draw.device)
    fused = decode_attention_fused(
        *(qkv, cosine, sine, written, sequences), split=split, split_counters=counters
    )
    near(fused, plain, 1e-5)
    near(written.float(), blocks.float(), 1e-6)
    assert not counters.any()


@pytest.mark.parametrize("cache_dtype", [torch.float32, FP8])
@pytest.mark.parametrize("split", [Split(1, 16, 4, 1), Split(3, 16, 4, 2)])
def test_with_a_window_the_prompt_and_the_last_tokens_alone_are_attended_to(
    draw: Draw, split: Split, cache_dtype: torch.dtype
) -> None:
    """Blocks behind the window may hold anything, and their numbers are not looked at."""
    lengths, prompts, window = [90, 33, 61, 20], [21, 17, 60, 19], 16
    (qkv, cosine, sine, blocks), sequences = random_inputs(draw, lengths, heads=2, dim=16)
    blocks = blocks.to(cache_dtype)
    known = torch.stack((sequences.lengths, torch.tensor([0, *prompts]).to(draw.device)), 1).int()
    sequences = replace(sequences, lengths=known[:, 0], prompts=known[:, 1])
    plain = decode_attention(qkv, cosine, sine, blocks, sequences, window=window)
    near(plain[0], windowed(qkv[0], cosine, sine, blocks, sequences, 4, 19, window), 1e-5)
    near(plain[3], windowed(qkv[3], cosine, sine, blocks, sequences, 1, 21, window), 1e-5)
    for block in sequences.block_tables[1, 2:4].tolist():  # tokens 32 to 63
        blocks[:, block].view(torch.uint8).fill_(255)  # NaN in both dtypes
    sequences.block_tables[1, 2:4] = 1 << 20
    counters = torch.zeros(len(qkv) * 2, dtype=torch.int32, device=draw.device)
    fused = decode_attention_fused(
        *(qkv, cosine, sine, blocks, sequences),
        split=split,
        split_counters=counters,
        window=window,
    )
    near(fused, plain, 1e-5)


def windowed(
    qkv: torch.Tensor,
    cosine: torch.Tensor,
    sine: torch.Tensor,
    blocks: torch.Tensor,
    sequences: DecodeSequences,
    sequence: int,
    prompt: int,
    window: int,
) -> torch.Tensor:
    """Of one sequence whose newest token is in the cache: one key after the other."""
    length = int(sequences.lengths[sequence])
    q = rotate(qkv.view(3, 2, 16)[0], cosine[length - 1], sine[length - 1])
    visible = [*range(prompt), *range(max(prompt, length - window), length)]
    slots = [(int(sequences.block_tables[sequence, one // SIZE]), one % SIZE) for one in visible]
    keys, values = (torch.stack([part[slot] for slot in slots]).float() for part in blocks)
    scores = torch.einsum("hd,thd->ht", q / 4, keys)
    return torch.einsum("ht,thd->hd", scores.softmax(-1), values).flatten()


@triton.jit
def unpack_pairs_without_assembly(x):
    """`unpack_pairs` for the interpreter, which cannot run inline assembly."""
    first = (x & 255).to(tl.uint8).to(tl.float8e4nv, bitcast=True)
    second = ((x >> 8) & 255).to(tl.uint8).to(tl.float8e4nv, bitcast=True)
    return first.to(tl.float32).to(tl.float16), second.to(tl.float32).to(tl.float16)


@pytest.mark.parametrize("window", [None, 16])
@pytest.mark.parametrize("split", [Split(1, 16, 4, 1), Split(3, 16, 4, 2)])
def test_fp8_loaded_in_pairs_equals_fp8(
    draw: Draw, monkeypatch: pytest.MonkeyPatch, split: Split, window: int | None
) -> None:
    if draw.device.type == "cpu":
        monkeypatch.setattr(fp8_cache, "unpack_pairs", unpack_pairs_without_assembly)
    tensors, sequences = random_inputs(draw, [70, 33, 1], heads=2, dim=32)
    sequences = replace(sequences, prompts=sequences.lengths // 2 + 1)
    sequences = replace(sequences, lengths=sequences.lengths.contiguous())
    qkv, cosine, sine, blocks = (tensor.half() for tensor in tensors)
    blocks = blocks.to(FP8)
    written = blocks.clone()
    angles = cosine.float(), sine.float()
    plain = decode_attention(qkv.float(), *angles, blocks, sequences, window=window)
    counters = torch.zeros(len(qkv) * 2, dtype=torch.int32, device=draw.device)
    inputs = (qkv, cosine, sine, written, sequences)
    fused = decode_attention_fused(*inputs, split=split, split_counters=counters, window=window)
    near(fused.float(), plain, 1e-3)
    near(written.float(), blocks.float(), 1e-3)


def test_values_beyond_the_range_of_fp8_are_clamped_in_the_cache(draw: Draw) -> None:
    (qkv, cosine, sine, blocks), sequences = random_inputs(draw, [1], heads=2, dim=16)
    values = qkv[0].view(3, 2, 16)[2]
    values[0, :3] = torch.tensor([1e6, -500.0, float("nan")])
    blocks = blocks.to(FP8)
    counters = torch.zeros(len(qkv) * 2, dtype=torch.int32, device=draw.device)
    inputs = (qkv, cosine, sine, blocks, sequences)
    out = decode_attention_fused(*inputs, split=Split(1, 16, 4, 1), split_counters=counters)
    for stored in (out[0, :3], blocks[1, 0, 0, 0, :3].float()):
        assert stored[:2].tolist() == [448, -448] and stored[2].isnan()


def test_values_past_the_end_of_a_sequence_are_ignored(draw: Draw) -> None:
    (qkv, cosine, sine, blocks), sequences = random_inputs(draw, [19], heads=2, dim=16)
    block = sequences.block_tables[1, 1]
    blocks[:, block, 3:] = float("nan")
    counters = torch.zeros(len(qkv) * 2, dtype=torch.int32, device=draw.device)
    inputs = (qkv, cosine, sine, blocks, sequences)
    out = decode_attention_fused(*inputs, split=Split(2, 16, 4, 1), split_counters=counters)
    assert out.isfinite().all()


@pytest.mark.gpu
@pytest.mark.parametrize("cache_dtype", [torch.bfloat16, FP8])
@pytest.mark.parametrize(
    "split", [Split(1, 64, 4, 3), Split(2, 64, 4, 2), Split(8, 32, 4, 4), Split(48, 32, 4, 2)]
)
def test_released_sizes_are_accurate_in_bfloat16(
    draw: Draw, split: Split, cache_dtype: torch.dtype
) -> None:
    tensors, sequences = random_inputs(draw, [1700, 1, 31, 900, 64], heads=10, dim=128)
    qkv, cosine, sine, blocks = (tensor.bfloat16() for tensor in tensors)
    inputs = [qkv, cosine, sine, blocks.to(cache_dtype)]
    plain = decode_attention(
        *(tensor.float() for tensor in inputs[:3]), inputs[3].clone(), sequences
    )
    counters = torch.zeros(len(qkv) * 10, dtype=torch.int32, device=draw.device)
    for _ in range(3):  # later runs use the counters that the first one reset
        fused = decode_attention_fused(*inputs, sequences, split=split, split_counters=counters)
    near(fused.float(), plain, 0.02)
