"""What the runtime can be told. Plain data: importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Gt, Le

AttentionName = Literal["flash_attention_2", "sdpa", "eager"]
DtypeName = Literal["auto", "bfloat16", "float16", "float32"]
CacheDtypeName = Literal["auto", "fp8"]

ExpertDtypeName = Literal["auto", "int8"]


@dataclass(frozen=True, slots=True)
class RuntimeConfig:
    """Where the weights lie and how they run."""

    model_path: Path | None = None
    """A folder with config.json, tokenizer.json and *.safetensors."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DtypeName = "auto"
    expert_dtype: ExpertDtypeName = "auto"
    """int8 rounds the chosen experts' weights, a scale a row: 6.7 GB of weights become 4.3."""
    attn_impl: AttentionName = "flash_attention_2"
    """The wish; one that is not to be had falls back, and says so."""
    kernels: bool = True
    """On a CUDA GPU: Triton kernels and CUDA graphs; false: plain PyTorch, slower and as right."""
    cache_dtype: CacheDtypeName = "auto"
    """Type of the cached keys and values: auto is the model's; fp8 holds twice the tokens of 16
    bits, less exactly."""
    max_tiles: int = 9
    """Most local tiles of a page in gundam mode."""
    max_num_seqs: Annotated[int, Gt(0)] | None = None
    """Pages read at once; unset: up to 256 on a GPU, as its memory allows, 4 elsewhere."""
    cache_tokens: Annotated[int, Gt(0)] | None = None
    """Most tokens that all pages together hold in the cache, one full context at least; unset: what
    fits into a GPU's memory, two full contexts elsewhere."""
    memory_share: Annotated[float, Gt(0), Le(1)] = 0.9
    """Share of the GPU's memory, free once the weights are loaded, that may be used."""
    memory_reserve_mb: Annotated[float, Gt(0)] | None = None
    """MiB of it kept from the cache for what a step needs; unset: measured at the start."""
    max_prefill_tokens: Annotated[int, Gt(0), Le(32768)] | None = None
    """Most prompt tokens of one step, 32768 at most; longer prompts are taken in over several.
    Unset: 8192 on a GPU with 16 GB free, 2048 elsewhere."""
    prefill_share: Annotated[float, Gt(0), Le(1)] = 1
    """While pages are being written, a step takes in others up to this share of
    `max_prefill_tokens` on average: less keeps text flowing, more fills the batch sooner."""
    stall_seconds: float = 120
    """A reading process without any progress for this long is replaced. Slow is not stalled."""
    start_seconds: float = 900
    """Loading the weights may take this long."""
