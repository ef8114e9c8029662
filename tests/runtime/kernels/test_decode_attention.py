"""One new token a sequence against blocks that lie anywhere."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.kernels import fp8_cache
from dsocr.runtime.kernels.decode_attention import (
    Sequences,
    Split,
    decode_attention,
    decode_attention_fused,
)
from dsocr.runtime.kernels.triton_language import tl, triton
from tests.runtime.kernels.conftest import Draw, near

FP8 = torch.float8_e4m3fn
SIZE = 16


def house(
    draw: Draw, lengths: list[int], *, heads: int, dim: int
) -> tuple[list[torch.Tensor], Sequences]:
    """qkv, cosines, sines and a cache in which the sequences' blocks are scattered; the tables
    have a sequence more, and one row is nobody's."""
    most = max(lengths)
    counts = [-(-length // SIZE) for length in lengths]
    shuffled = torch.randperm(sum(counts), generator=torch.Generator().manual_seed(3)).int()
    tables = torch.zeros(len(lengths) + 1, max(counts), dtype=torch.int32)
    for row, part in enumerate(shuffled.split(counts)):
        tables[row + 1, : len(part)] = part
    known = torch.tensor([[0, 7], *([length, 7] for length in lengths)], dtype=torch.int32)
    rows = torch.tensor([*range(len(lengths), 0, -1), -1], dtype=torch.int32)
    tensors = [
        draw(len(rows), 3 * heads * dim),
        draw(most, dim),
        draw(most, dim),
        draw(2, sum(counts), SIZE, heads, dim),
    ]
    device = draw.device
    return tensors, Sequences(rows.to(device), known.to(device)[:, 0], tables.to(device))


@pytest.mark.parametrize("kept", [torch.float32, FP8])
@pytest.mark.parametrize("split", [Split(1, 16, 4, 1), Split(3, 16, 4, 2)])
@pytest.mark.parametrize("lengths", [[1], [2, 17, 16], [70, 33]])
def test_scattered_blocks_are_attended_to_in_order(
    draw: Draw, lengths: list[int], split: Split, kept: torch.dtype
) -> None:
    (qkv, cosine, sine, blocks), sequences = house(draw, lengths, heads=2, dim=16)
    blocks = blocks.to(kept)
    written = blocks.clone()
    plain = decode_attention(qkv, cosine, sine, blocks, sequences)
    arrived = torch.zeros(len(qkv) * 2, dtype=torch.int32, device=draw.device)
    fused = decode_attention_fused(
        *(qkv, cosine, sine, written, sequences), split=split, arrived=arrived
    )
    near(fused, plain, 1e-5)
    near(written.float(), blocks.float(), 1e-6)
    assert not arrived.any()


@triton.jit
def unpaired_in_words(x):
    """What the assembly does, for the interpreter, which knows none."""
    first = (x & 255).to(tl.uint8).to(tl.float8e4nv, bitcast=True)
    second = ((x >> 8) & 255).to(tl.uint8).to(tl.float8e4nv, bitcast=True)
    return first.to(tl.float32).to(tl.float16), second.to(tl.float32).to(tl.float16)


@pytest.mark.parametrize("split", [Split(1, 16, 4, 1), Split(3, 16, 4, 2)])
def test_fp8_in_pairs_is_fp8(draw: Draw, monkeypatch: pytest.MonkeyPatch, split: Split) -> None:
    if draw.device.type == "cpu":
        monkeypatch.setattr(fp8_cache, "unpaired", unpaired_in_words)
    tensors, sequences = house(draw, [70, 33, 1], heads=2, dim=32)
    qkv, cosine, sine, blocks = (tensor.half() for tensor in tensors)
    blocks = blocks.to(FP8)
    written = blocks.clone()
    plain = decode_attention(qkv.float(), cosine.float(), sine.float(), blocks, sequences)
    arrived = torch.zeros(len(qkv) * 2, dtype=torch.int32, device=draw.device)
    given = (qkv, cosine, sine, written, sequences)
    fused = decode_attention_fused(*given, split=split, arrived=arrived)
    near(fused.float(), plain, 1e-3)
    near(written.float(), blocks.float(), 1e-3)


def test_what_fp8_cannot_hold_is_kept_as_its_greatest_number(draw: Draw) -> None:
    (qkv, cosine, sine, blocks), sequences = house(draw, [1], heads=2, dim=16)
    values = qkv[0].view(3, 2, 16)[2]
    values[0, :3] = torch.tensor([1e6, -500.0, float("nan")])
    blocks = blocks.to(FP8)
    arrived = torch.zeros(len(qkv) * 2, dtype=torch.int32, device=draw.device)
    given = (qkv, cosine, sine, blocks, sequences)
    out = decode_attention_fused(*given, split=Split(1, 16, 4, 1), arrived=arrived)
    for said in (out[0, :3], blocks[1, 0, 0, 0, :3].float()):
        assert said[:2].tolist() == [448, -448] and said[2].isnan()


def test_numbers_past_a_sequence_s_end_have_no_part(draw: Draw) -> None:
    (qkv, cosine, sine, blocks), sequences = house(draw, [19], heads=2, dim=16)
    block = sequences.block_tables[1, 1]
    blocks[:, block, 3:] = float("nan")
    arrived = torch.zeros(len(qkv) * 2, dtype=torch.int32, device=draw.device)
    given = (qkv, cosine, sine, blocks, sequences)
    out = decode_attention_fused(*given, split=Split(2, 16, 4, 1), arrived=arrived)
    assert out.isfinite().all()


@pytest.mark.gpu
@pytest.mark.parametrize("kept", [torch.bfloat16, FP8])
@pytest.mark.parametrize(
    "split", [Split(1, 64, 4, 3), Split(2, 64, 4, 2), Split(8, 32, 4, 4), Split(48, 32, 4, 2)]
)
def test_sizes_of_the_released_model_stay_near_in_bfloat16(
    draw: Draw, split: Split, kept: torch.dtype
) -> None:
    tensors, sequences = house(draw, [1700, 1, 31, 900, 64], heads=10, dim=128)
    qkv, cosine, sine, blocks = (tensor.bfloat16() for tensor in tensors)
    given = [qkv, cosine, sine, blocks.to(kept)]
    plain = decode_attention(*(one.float() for one in given[:3]), given[3].clone(), sequences)
    arrived = torch.zeros(len(qkv) * 10, dtype=torch.int32, device=draw.device)
    for _ in range(3):  # the second finds what the first left
        fused = decode_attention_fused(*given, sequences, split=split, arrived=arrived)
    near(fused.float(), plain, 0.02)
