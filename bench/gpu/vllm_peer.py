"""Measures vLLM on the same pages, where it is installed: full size, its own dummy weights.

    python -m bench.gpu.vllm_peer FOLDER [--tokens 800]

FOLDER holds config.json and tokenizer.json, as `bench.gpu --peer vllm` writes it before it runs
this. Written against vLLM 0.26.0. The last line is JSON: figures by the names of `bench.gpu`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

from bench.model.full_size import make_pictures
from dsocr.runtime.text.tokenizer import BOS, EOS

PROMPT = "<image>\nFree OCR."
IN_FLIGHT = (256, 128)
"""The better one counts, as for our runtime: 128 gave more pages a second."""
RULE = {"ngram_size": 30, "window_size": 90, "whitelist_token_ids": [128821, 128822]}
"""As in the model card: table cells may repeat."""
SPECIAL = {"bos_token": BOS, "eos_token": EOS, "pad_token": "<｜▁pad▁｜>"}
"""tokenizer.json does not name them, and the image processor of vLLM puts them into prompts."""
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",  # its log would follow our last line
    "VLLM_USE_FLASHINFER_SAMPLER": "0",  # not needed for greedy decoding
}


def start(folder: Path) -> Any:
    """The engine as `vllm serve` runs it: the offline `LLM` prepares images one after the other.
    Nothing is cached between pages."""
    os.environ.update(ENVIRONMENT)  # read when vllm is imported
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.model_executor.models.deepseek_ocr import NGramPerReqLogitsProcessor
    from vllm.v1.engine.async_llm import AsyncLLM

    tokenizer = {"tokenizer_class": "LlamaTokenizerFast", **SPECIAL}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer), "utf-8")
    settings = AsyncEngineArgs(
        model=str(folder),
        load_format="dummy",
        max_model_len=8192,
        gpu_memory_utilization=0.85,  # the parent process holds a context as well
        disable_log_stats=True,
        max_num_seqs=max(IN_FLIGHT),
        limit_mm_per_prompt={"image": 1},
        enable_prefix_caching=False,
        mm_processor_cache_gb=0,
        renderer_num_workers=min(14, os.cpu_count() or 1),
        compilation_config={"cudagraph_mm_encoder": True},
        logits_processors=[NGramPerReqLogitsProcessor],
    )
    return AsyncLLM.from_engine_args(settings)


class Reader:
    """Reads pages with an engine, so many at a time."""

    def __init__(self, engine: Any, pictures: list[Any]) -> None:
        self._engine, self._pictures = engine, itertools.cycle(pictures)
        self._ids = itertools.count()

    async def seconds(self, pages: int, *, in_flight: int, tokens: int) -> float:
        waiting = iter(range(pages))

        async def client() -> None:
            for _ in waiting:
                await self._read(tokens)

        began = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(in_flight)))
        return time.perf_counter() - began

    async def _read(self, tokens: int) -> None:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        params = SamplingParams(
            temperature=0.0,
            max_tokens=tokens,
            ignore_eos=True,
            extra_args=dict(RULE),
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        page = {"prompt": PROMPT, "multi_modal_data": {"image": next(self._pictures)}}
        (rendered,) = await self._engine.renderer.render_cmpl_async([page])
        async for answer in self._engine.generate(rendered, params, str(next(self._ids))):
            assert len(answer.outputs[0].token_ids) == tokens


async def measure(folder: Path, tokens: int) -> dict[str, float]:
    engine = start(folder)
    try:
        reader = Reader(engine, make_pictures())
        await reader.seconds(4, in_flight=4, tokens=8)  # the encoder's first pages take seconds
        firsts = [await reader.seconds(1, in_flight=1, tokens=1) for _ in range(3)]
        alone = [await reader.seconds(1, in_flight=1, tokens=1000) for _ in range(3)]
        rates = [
            2 * count / await reader.seconds(2 * count, in_flight=count, tokens=tokens)
            for count in IN_FLIGHT
        ]
    finally:
        engine.shutdown()
    page, first = statistics.median(alone), statistics.median(firsts)
    return {
        "single-stream decode tok/s": round(999 / (page - first)),
        "gundam pages/s": round(max(rates), 2),
        "gundam page alone s, 1,000 tokens": round(page, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokens", type=int, default=800)
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(measure(arguments.folder, arguments.tokens))))


if __name__ == "__main__":
    main()
