"""One step of the model: sequences to tensors, scores to tokens. Owns the device and the cache."""

from __future__ import annotations

from collections.abc import Sequence as Many

from dsocr.runtime.batch import PageViews, make_batch
from dsocr.runtime.kv_cache import BlockAllocator, KVCache
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.sampler import Sampled, sample
from dsocr.runtime.sequence import Sequence

BLOCK_SIZE = 16
"""Tokens a block of the cache holds."""


class ModelRunner:
    """Runs the model on what it is given; who runs when is not its affair."""

    def __init__(self, model: DeepseekOcr, *, num_tokens: int) -> None:
        self.model = model
        self.allocator = BlockAllocator(-(-num_tokens // BLOCK_SIZE), block_size=BLOCK_SIZE)
        self.cache = KVCache(
            model.spec.decoder,
            num_blocks=self.allocator.num_free,
            block_size=BLOCK_SIZE,
            device=model.device,
            dtype=model.dtype,
        )

    def encode(self, sequences: Many[Sequence], views: Many[PageViews]) -> None:
        """Gives each sequence the image features of its page."""
        for sequence, features in zip(sequences, self.model.encode(views), strict=True):
            sequence.features = features

    def step(self, sequences: Many[Sequence]) -> list[Sampled | None]:
        """Writes each sequence's new tokens to the cache and chooses the next one.

        Sequences that decode come first: they run together.
        """
        for sequence in sequences:
            self.allocator.extend(sequence.block_table, sequence.num_tokens)
        chunks = [sequence.next_chunk() for sequence in sequences]
        batch = make_batch(chunks, block_size=BLOCK_SIZE, device=self.model.device)
        hidden = self.model.forward(batch, self.cache)
        for sequence, chunk in zip(sequences, chunks, strict=True):
            sequence.num_cached = chunk.end
        return sample(self.model.logits(hidden[batch.last_rows]), sequences)

    def lacks_room(self, sequences: Many[Sequence]) -> bool:
        """Whether the cache cannot take these sequences' next tokens together."""
        blocks = self.allocator.blocks_for
        wanted = sum(blocks(one.num_tokens) - len(one.block_table) for one in sequences)
        return wanted > self.allocator.num_free

    def preempt(self, sequence: Sequence) -> None:
        """Takes its blocks; its tokens and features stay, so that it can come to the same place."""
        self.allocator.free(sequence.block_table)
        sequence.block_table, sequence.num_cached = [], 0

    def release(self, sequence: Sequence) -> None:
        """Gives back what the sequence holds."""
        self.preempt(sequence)
        sequence.features = None
