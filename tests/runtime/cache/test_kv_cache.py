"""Blocks have one owner, and tokens are read from where they were written."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.cache.batch import Chunk, make_batch
from dsocr.runtime.cache.block_allocator import BlockAllocator, OutOfBlocks
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr

CPU = torch.device("cpu")


def test_every_block_is_allocated_once() -> None:
    allocator = BlockAllocator(5, block_size=4)
    assert sorted(allocator.allocate(3) + allocator.allocate(2)) == [0, 1, 2, 3, 4]
    assert allocator.num_free == 0


def test_too_many_blocks_are_refused_and_none_is_allocated() -> None:
    allocator = BlockAllocator(5, block_size=4)
    with pytest.raises(OutOfBlocks):
        allocator.allocate(6)
    assert allocator.num_free == 5


def test_a_block_cannot_be_freed_twice() -> None:
    allocator = BlockAllocator(5, block_size=4)
    blocks = allocator.allocate(2)
    allocator.free(blocks)
    with pytest.raises(KeyError):
        allocator.free(blocks)
    assert allocator.num_free == 5


def test_a_table_grows_only_when_its_blocks_are_full() -> None:
    allocator = BlockAllocator(5, block_size=4)
    table: list[int] = []
    sizes = []
    for num_tokens in (1, 4, 5, 5, 12):
        allocator.extend(table, num_tokens)
        sizes.append(len(table))
    assert sizes == [1, 1, 2, 2, 3]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float8_e4m3fn])
def test_tokens_are_gathered_in_the_order_of_their_table(
    tiny_model: DeepseekOcr, dtype: torch.dtype
) -> None:
    spec = tiny_model.spec.decoder
    cache = KVCache(spec, num_blocks=6, block_size=4, device=CPU, dtype=dtype)
    batch = make_batch(
        [Chunk([7] * 6, 0, [5, 2]), Chunk([7] * 3, 0, [0])], block_size=4, device=CPU
    )
    k = torch.arange(9.0).view(9, 1, 1).expand(9, spec.num_heads, spec.head_dim)
    cache.write(1, k, -k, batch.slots)
    keys, values = cache.gather(1, batch.block_tables, torch.float32)
    assert keys[0, :6, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert values[1, :3, 0, 0].tolist() == [-6, -7, -8]
    assert cache.blocks[0].float().count_nonzero() == 0


def test_a_batch_lays_sequences_end_to_end() -> None:
    features = torch.ones(2, 3)
    batch = make_batch(
        [
            Chunk([9], 5, [3, 1]),
            Chunk([4, 5, 6], 2, [0, 2], features=features, feature_rows=[0, 2]),
        ],
        block_size=4,
        device=CPU,
    )
    assert batch.input_ids.tolist() == [9, 4, 5, 6]
    assert batch.positions.tolist() == [5, 2, 3, 4]
    assert batch.slots.tolist() == [1 * 4 + 1, 2, 3, 2 * 4]
    assert batch.context_lens.tolist() == [6, 5]
    assert batch.query_starts == (0, 1, 4)
    assert batch.last_rows == [0, 3]
    assert batch.num_decodes == 1
    assert batch.feature_rows is not None
    assert batch.feature_rows.tolist() == [1, 3]


def test_the_cache_of_the_released_sizes_takes_what_the_spec_says(
    tiny_model: DeepseekOcr,
) -> None:
    spec = tiny_model.spec.decoder
    assert KVCache.bytes_per_token(spec, torch.bfloat16) == 3 * 2 * 64 * 2
