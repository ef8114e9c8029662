"""What the runtime can be told. Plain data: importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

AttentionName = Literal["flash_attention_2", "sdpa", "eager"]
DtypeName = Literal["auto", "bfloat16", "float16", "float32"]


@dataclass(frozen=True, slots=True)
class RuntimeConfig:
    """Where the weights lie and how they run."""

    model_path: Path | None = None
    """A folder with config.json, tokenizer.json and *.safetensors."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DtypeName = "auto"
    attn_impl: AttentionName = "flash_attention_2"
    """The wish; one that is not to be had falls back, and says so."""
    max_tiles: int = 9
    """Most local tiles of a page in gundam mode."""
    stall_seconds: float = 120
    """A reading process without any progress for this long is replaced. Slow is not stalled."""
    start_seconds: float = 900
    """Loading the weights may take this long."""
