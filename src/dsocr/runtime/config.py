"""Settings of the runtime. Plain data: importing this loads no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Gt, Le

from dsocr.types import DraftsName

AttentionName = Literal["flash_attention_2", "sdpa", "eager"]
DtypeName = Literal["auto", "bfloat16", "float16", "float32"]
CacheDtypeName = Literal["auto", "fp8"]
ExpertDtypeName = Literal["auto", "int8"]


@dataclass(frozen=True, slots=True)
class RuntimeConfig:
    """Where the weights are and how the model runs."""

    model_path: Path | None = None
    """A folder with config.json, tokenizer.json and *.safetensors."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps; a list such as cuda:0,cuda:2, with one worker process for each;
    or all: every GPU."""
    threads: Annotated[int, Gt(0)] | None = None
    """CPU threads of a worker process; unset: as many as cores, divided among the workers."""
    dtype: DtypeName = "auto"
    expert_dtype: ExpertDtypeName = "auto"
    """int8 quantizes the weights of the routed experts, with a scale per row: 6.7 GB of weights
    become 4.3."""
    attn_impl: AttentionName = "flash_attention_2"
    """The preferred implementation; where it cannot run, sdpa is used and `/health` says so."""
    kernels: bool = True
    """On a CUDA GPU: Triton kernels and CUDA graphs; false: plain PyTorch, slower but equal."""
    kernel_cache: Path | None = None
    """Folder of compiled kernels, which the first start and `dsocr warm` fill; keep it. Unset: that
    of `TRITON_CACHE_DIR`, else `dsocr/kernels` in the user's cache folder."""
    cache_dtype: CacheDtypeName = "auto"
    """Type of the cached keys and values. auto: the model's; fp8: twice as many tokens as with 16
    bits, less exact."""
    drafts: DraftsName = "off"
    """Whether a step computes several tokens of a page where they can be guessed from the PDF's own
    text. exact: in float32 only, with the tokens that one at a time gives; fast: in any type, where
    16 bits may decide a near tie otherwise."""
    max_tiles: int | None = None
    """Local tiles of a page in gundam mode, at most; unset: the model's own limit, 9 for
    DeepSeek-OCR."""
    max_num_seqs: Annotated[int, Gt(0)] | None = None
    """Pages decoded at once; unset: up to 256 on a GPU, as its memory allows, 4 elsewhere."""
    cache_tokens: Annotated[int, Gt(0)] | None = None
    """Tokens that all pages together may have in the KV cache, one full context at least; unset:
    what fits into a GPU's memory, two full contexts elsewhere."""
    memory_share: Annotated[float, Gt(0), Le(1)] = 0.9
    """Share of the GPU memory that is free after loading the weights which may be used."""
    memory_reserve_mb: Annotated[float, Gt(0)] | None = None
    """MiB of that memory left to the computation of a step; unset: measured at the start."""
    max_prefill_tokens: Annotated[int, Gt(0), Le(32768)] | None = None
    """Prompt tokens of one step, 32768 at most; longer prompts are prefilled in several steps.
    Unset: 8192 on a GPU with 16 GB free, 2048 elsewhere."""
    prefill_share: Annotated[float, Gt(0), Le(1)] = 1
    """While pages decode, a step prefills on average up to this share of `max_prefill_tokens`. Less
    keeps text flowing, more fills the batch sooner."""
    stall_seconds: float = 120
    """A worker process that makes no progress for this long is replaced. Each step is progress."""
    start_seconds: float = 900
    """Time limit for loading the weights."""

    def to_arguments(self) -> dict[str, Any]:
        """As plain values, for the worker process."""
        values = dataclasses.asdict(self)
        return {name: str(one) if isinstance(one, Path) else one for name, one in values.items()}

    @staticmethod
    def from_arguments(arguments: Mapping[str, Any]) -> RuntimeConfig:
        paths = {
            name: Path(arguments[name])
            for name in ("model_path", "kernel_cache")
            if arguments.get(name) is not None
        }
        return RuntimeConfig(**{**arguments, **paths})
