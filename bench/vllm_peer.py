"""vLLM on the same pages, where it is installed: full size, weights made up by itself.

    python bench/vllm_peer.py FOLDER [--tokens 800]

FOLDER holds config.json and tokenizer.json, as `bench/gpu.py --peer vllm` writes it before it runs
this. Written against vLLM 0.26.0; it was not run here, since no machine of ours has had vLLM and a
GPU. The last line is JSON: figures by the names of `bench/gpu.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.gpu import make_pictures  # noqa: E402

PROMPT = "<image>\nFree OCR."
IN_FLIGHT = 256
RULE = {"ngram_size": 30, "window_size": 90, "whitelist_token_ids": [128821, 128822]}
"""As the model card asks: table cells may repeat."""


def engine(folder: Path) -> Any:
    """As its recipe for this model says, and nothing kept from one page to the next."""
    from vllm import LLM
    from vllm.model_executor.models.deepseek_ocr import NGramPerReqLogitsProcessor

    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "LlamaTokenizerFast"}')
    return LLM(
        model=str(folder),
        load_format="dummy",
        max_model_len=8192,
        max_num_seqs=IN_FLIGHT,
        enable_prefix_caching=False,
        mm_processor_cache_gb=0,
        logits_processors=[NGramPerReqLogitsProcessor],
    )


def seconds_for(llm: Any, pictures: list[Any], *, tokens: int) -> float:
    from vllm import SamplingParams

    params = SamplingParams(
        temperature=0.0, max_tokens=tokens, ignore_eos=True, extra_args=dict(RULE)
    )
    pages = [{"prompt": PROMPT, "multi_modal_data": {"image": picture}} for picture in pictures]
    began = time.perf_counter()
    answers = llm.generate(pages, params, use_tqdm=False)
    seconds = time.perf_counter() - began
    assert all(len(answer.outputs[0].token_ids) == tokens for answer in answers)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokens", type=int, default=800)
    arguments = parser.parse_args()
    llm, pictures = engine(arguments.folder), make_pictures()
    seconds_for(llm, pictures[:4], tokens=8)  # the encoder's first pages take seconds
    alone = [seconds_for(llm, pictures[:1], tokens=1000) for _ in range(3)]
    first = seconds_for(llm, pictures[:1], tokens=1)
    many = [pictures[number % len(pictures)] for number in range(2 * IN_FLIGHT)]
    figures = {
        "single-stream decode tok/s": round(999 / (sorted(alone)[1] - first)),
        "gundam pages/s": round(len(many) / seconds_for(llm, many, tokens=arguments.tokens), 2),
        "gundam page alone s, 1,000 tokens": round(sorted(alone)[1], 2),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
