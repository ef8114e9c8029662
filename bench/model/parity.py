"""Compares the full-size model on this GPU with values of the released code.

Writes the synthetic checkpoint of 3,336,106,240 parameters by its recipe, loads it through the
runtime's loader, and compares every stage, the logits and the greedy tokens with the reference
values in tests/data/goldens/full.json.gz: in float32 within a tolerance, in bfloat16 with the
deviation reported. By the plain modules; with --kernels also by Triton's kernels and CUDA graphs,
whose compilation takes a minute or two more, and then through the runtime of a service.
Needs a GPU with 20 GB, 10 GB of host memory and 7 GB of disk.

    python -m bench.model.parity [--kernels] [--folder DIR] [--report FILE]
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from bench.model.full_size import last_moe
from dsocr.runtime.assembly import make_runtime
from dsocr.runtime.config import AttentionName, RuntimeConfig
from dsocr.runtime.execution.vision_runner import VisionRunner
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.models.deepseek_ocr_spec import parse
from dsocr.runtime.models.registry import read_config
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.runtime.weights.headers import INDEX
from dsocr.runtime.weights.loader import check_checkpoint, load_model
from tests.runtime.goldens import (
    GOLDENS,
    genuine_tokenizer,
    golden_json,
    golden_mode,
    golden_page,
)
from tests.runtime.reading import outputs, run
from tests.runtime.recipe import make_pixels, make_tensor
from tests.runtime.stages import (
    Reader,
    decoder_modules,
    deviation,
    distance,
    vision_modules,
    watching,
)

PLACEHOLDER = 128815
FREE_OCR = [201, 21431, 126041, 16]
"""The ids of "\\nFree OCR.", which all full-size cases ask; spares this script a tokenizer."""
SHARD_BYTES = 2 << 30
TOLERANCE = 1e-3
"""float32 on other hardware than the references' (their README's advice)."""

figures: dict[str, Any] = {}
failures: list[str] = []


def report(name: str, value: object, *, ok: bool = True) -> None:
    figures[name] = value
    if not ok:
        failures.append(name)
    print(f"{'ok  ' if ok else 'FAIL'} {name}: {value}", flush=True)


@contextmanager
def timed(name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    torch.cuda.synchronize()
    report(name, round(time.perf_counter() - start, 3))


def write_checkpoint(folder: Path, device: torch.device) -> None:
    """The full checkpoint in shards of 2 GiB with an index, as it might be re-uploaded."""
    shutil.copy(GOLDENS / "checkpoint-files" / "config.json", folder)
    with torch.device("meta"):
        model = DeepseekOcr(parse(read_config(folder)), attention="sdpa")
    shapes = {name: tensor.shape for name, tensor in model.checkpoint_tensors()}
    shapes["model.vision_model.embeddings.patch_embedding.weight"] = torch.Size((1024, 3, 14, 14))
    checked = golden_json("full.json.gz")["checked_tensors"]
    weight_map: dict[str, str] = {}
    shard: dict[str, Tensor] = {}
    wrong = []

    def flush() -> None:
        file = f"model-{len(set(weight_map.values())):05d}.safetensors"
        save_file(shard, folder / file)
        weight_map.update(dict.fromkeys(shard, file))
        shard.clear()

    for name, shape in shapes.items():
        shard[name] = make_tensor(name, shape, device=device).cpu()
        if name in checked and _sha256(shard[name]) != checked[name]["sha256_bf16_le"]:
            wrong.append(name)
        if sum(tensor.nbytes for tensor in shard.values()) >= SHARD_BYTES:
            flush()
    flush()
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    count = sum(shape.numel() for shape in shapes.values())
    report("parameters", count, ok=count == golden_json("full.json.gz")["n_parameters"])
    report(f"weights of the recipe wrong, of {len(checked)} checked", wrong, ok=not wrong)


def _sha256(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.view(torch.int16).numpy().tobytes()).hexdigest()


def load(folder: Path, dtype: torch.dtype, attention: AttentionName, device: torch.device) -> Any:
    torch.cuda.reset_peak_memory_stats()
    before, label = _private_memory_gb(), str(dtype).removeprefix("torch.")
    with timed(f"{label} load seconds"):
        model = load_model(folder, device=device, dtype=dtype, attention=attention)
    report(f"{label} GPU GB after load", round(torch.cuda.memory_allocated() / 1e9, 3))
    report(f"{label} GPU GB peak of load", round(torch.cuda.max_memory_allocated() / 1e9, 3))
    report(f"{label} private host GB more after load", round(_private_memory_gb() - before, 3))
    report(f"{label} attention", model.attention)
    report(f"{label} experts", last_moe(model).experts.kind)
    return model


def _private_memory_gb() -> float:
    """Host memory that is this process's own: pages of mapped files do not count."""
    status = Path("/proc/self/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) / 1e6


def compare_vision(model: DeepseekOcr, label: str, tolerance: float | None) -> None:
    for side, case in golden_json("full.json.gz")["vision"].items():
        pixels = make_pixels(int(side), device=model.device).to(model.dtype)
        with watching(vision_modules(model)) as seen, torch.inference_mode():
            model.vision(pixels)
        far = {name: deviation(seen[name], stage) for name, stage in case["stages"].items()}
        worst = max(far, key=lambda name: far[name])
        report(
            f"{label} vision {side}: worst of {len(far)} stages, projector",
            [worst, round(far[worst], 7), round(far["projector.out"], 7)],
            ok=tolerance is None or far[worst] <= tolerance,
        )


def compare_decoder(
    model: DeepseekOcr, label: str, tolerance: float | None, *, kernels: bool
) -> None:
    expected = golden_json("full.json.gz")["decoder"]
    ids, reader = expected["input_ids"], Reader(model, kernels=kernels)
    modules = decoder_modules(model)
    with watching(modules) as seen:
        hidden = reader.hidden(reader.chunk([], ids))
    seen[list(modules)[-1]] = (
        hidden  # kernels do not call the modules of layers and norm; this is their only output
    )
    logits = model.logits(hidden)
    far = {
        name: deviation(seen[f"hidden_states.{name}"], state)
        for name, state in expected["hidden_states"].items()
        if f"hidden_states.{name}" in seen
    }
    report(
        f"{label} hidden states, worst of {len(far)}",
        round(max(far.values()), 7),
        ok=tolerance is None or max(far.values()) <= tolerance,
    )
    sampled = logits[-1, expected["logit_sample_columns"]].cpu()
    difference = (sampled - torch.tensor(expected["last_position_sampled_logits"])).abs()
    report(
        f"{label} last logits: max, mean difference",
        [round(difference.max().item(), 7), round(difference.mean().item(), 7)],
        ok=tolerance is None or difference.max().item() <= tolerance,
    )
    top = [position["ids"][0] for position in expected["per_position_top5"]]
    agreeing = [int(a == b) for a, b in zip(logits.argmax(-1).tolist(), top, strict=True)]
    report(f"{label} top-1 agreement over positions", round(sum(agreeing) / len(top), 4))
    greedy = expected["greedy_16"]
    compare_tokens(
        f"{label} greedy 16",
        reader.greedy(ids, 16),
        greedy["output_ids"],
        safe=greedy["safe_prefix_len"] if tolerance is not None else 0,
    )


def compare_tokens(name: str, ours: list[int], theirs: list[int], *, safe: int) -> None:
    pairs = zip(ours, theirs, strict=False)  # a page may end early, or fail
    same = next(
        (place for place, (one, other) in enumerate(pairs) if one != other),
        min(len(ours), len(theirs)),
    )
    report(f"{name}: equal tokens, must be", [same, safe], ok=same >= safe)


def compare_pages(
    model: DeepseekOcr, label: str, tolerance: float | None, *, kernels: bool
) -> None:
    vision = VisionRunner(model)
    for case in golden_json("full.json.gz")["e2e"]:
        name = f"{label} {case['mode']} {case['image']}"
        views = model.prepare(golden_page(case["image"]), golden_mode(case))
        with timed(f"{name} encode seconds, first call"):
            [features] = vision.encode([views])
        while vision.run_idle_work():  # by kernels the second call is a replay of graphs
            pass
        with timed(f"{name} encode seconds, second call"):
            [features] = vision.encode([views])
        far = deviation(features, case["image_features"])
        report(f"{name} features", round(far, 7), ok=tolerance is None or far <= tolerance)
        ids = [0, *[PLACEHOLDER] * len(features), *FREE_OCR]
        report(f"{name} prompt ids", len(ids), ok=len(ids) == case["n_input_ids"])
        placed: Any = {"features": features, "feature_rows": range(1, 1 + len(features))}
        reader = Reader(model, kernels=kernels)
        hidden = reader.hidden(reader.chunk([], ids, **placed))
        top = model.logits(hidden[-1:])[0, case["first_step_top10_ids"]]
        off = distance(top, torch.tensor(case["first_step_top10_logits"]))
        report(f"{name} first logits", round(off, 7), ok=tolerance is None or off <= tolerance)
        safe = case["safe_prefix_len"] if tolerance is not None else 0
        tokens = Reader(model, kernels=kernels).greedy(ids, len(case["greedy_8"]), **placed)
        compare_tokens(f"{name} greedy", tokens, case["greedy_8"], safe=safe)


def compare_runtime(
    model: DeepseekOcr, tokenizer: Tokenizer, label: str, tolerance: float | None
) -> None:
    """The same pages as a service reads them, by graphs of one row and then together by others."""
    cases = golden_json("full.json.gz")["e2e"]
    pages = [
        Request(
            *(number, golden_page(case["image"]), case["prompt"]),
            golden_mode(case),
            SamplingParams(max_tokens=len(case["greedy_8"]), detect_repetition=False),
        )
        for number, case in enumerate(cases)
    ]
    # so few tokens that prompts of all lengths go by the same kernels: to compile them takes long
    config = RuntimeConfig(max_num_seqs=len(pages), cache_tokens=1, max_prefill_tokens=512)
    runtime, _ = make_runtime(model, tokenizer, config)
    alone: dict[int, list[int]] = {}
    for page in pages:
        alone |= outputs(list(runtime.generate(page)))
    while runtime.run_idle_work():
        pass
    for page in pages:
        runtime.submit(page)
    for how, said in (("alone", alone), ("together", outputs(run(runtime)))):
        for number, case in enumerate(cases):
            safe = case["safe_prefix_len"] if tolerance is not None else 0
            name = f"{label} {case['mode']} {case['image']} through the runtime, {how}"
            compare_tokens(name, said.get(number, []), case["greedy_8"], safe=safe)


def compare_all(
    model: DeepseekOcr, label: str, tolerance: float | None, *, kernels: bool = False
) -> None:
    with timed(f"{label} comparison seconds"):
        compare_vision(model, label, tolerance)
        compare_decoder(model, label, tolerance, kernels=kernels)
        compare_pages(model, label, tolerance, kernels=kernels)
    report(f"{label} GPU GB peak", round(torch.cuda.max_memory_allocated() / 1e9, 3))


def compare_kinds(model: DeepseekOcr) -> None:
    """Grouped against looped experts in bfloat16, which the CPU tests cannot see."""
    ids = golden_json("full.json.gz")["decoder"]["input_ids"]
    layers: Any = model.decoder.layers[1:]
    experts = [layer.mlp.experts for layer in layers]
    logits = {}
    for kind in ("grouped", "looped"):
        for layer in experts:
            layer.kind = kind
        reader = Reader(model)
        logits[kind] = model.logits(reader.hidden(reader.chunk([], ids)))
        with timed(f"bfloat16 {kind} experts: seconds for 32 greedy tokens"):
            reader.greedy(ids, 32)
    report("grouped against looped experts, logits", distance(logits["grouped"], logits["looped"]))


def compare_kernels(
    model: DeepseekOcr, tokenizer: Tokenizer, label: str, tolerance: float | None
) -> None:
    """All comparisons by kernels, on the same weights. The towers keep their kernels afterwards."""
    model.use_kernels()
    label = f"{label} kernels"
    compare_all(model, label, tolerance, kernels=True)
    with timed(f"{label} runtime seconds"):
        compare_runtime(model, tokenizer, label, tolerance)


def compare(folder: Path, tokenizer: Tokenizer, *, kernels: bool) -> None:
    device = torch.device("cuda")
    properties = torch.cuda.get_device_properties(device)
    report("device", f"{properties.name}, {properties.total_memory / 1e9:.0f} GB")
    report("torch", torch.__version__)
    with timed("write seconds"):
        write_checkpoint(folder, device)
    found = check_checkpoint(folder)
    report("check", [found.num_files, found.num_tensors, found.problems], ok=not found.problems)
    model = load(folder, torch.float32, "sdpa", device)
    compare_all(model, "float32", TOLERANCE)
    if kernels:
        compare_kernels(model, tokenizer, "float32", TOLERANCE)
    del model
    for attention in ("flash_attention_2", "eager"):
        gc.collect()
        torch.cuda.empty_cache()
        model = load(folder, torch.bfloat16, attention, device)
        compare_all(model, f"bfloat16 {attention}", None)
        if attention == "flash_attention_2":
            compare_kinds(model)
            if kernels:
                compare_kernels(model, tokenizer, "bfloat16", None)
        del model


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernels", action="store_true", help="compare these and graphs as well")
    parser.add_argument("--folder", type=Path, help="keep the checkpoint there")
    parser.add_argument("--report", type=Path, help="write all figures there as JSON")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("this compares on a CUDA GPU, and torch finds none here")
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="parity"))
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    try:
        (folder / "tokenizer.json").write_bytes(genuine_tokenizer())
        compare(folder, Tokenizer(folder), kernels=arguments.kernels)
    finally:
        if not arguments.folder:
            shutil.rmtree(folder)
        if arguments.report:
            arguments.report.write_text(json.dumps(figures, indent=1))
    print(f"{time.perf_counter() - start:.0f} s; failed: {failures or 'nothing'}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
