"""The paged KV cache: its memory, who owns which block, and the batch that addresses it."""
