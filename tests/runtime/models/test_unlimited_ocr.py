"""Unlimited-OCR against the released code's values (spec 10.4).

The released class reads one page at a time; here each has the same tokens in a batch, a step ahead,
in chunks and after a preemption.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import PIL
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from dsocr.runtime.cache.batch import PageViews
from dsocr.runtime.cache.block_allocator import BLOCK_SIZE
from dsocr.runtime.events import Done
from dsocr.runtime.execution.graph_runner import GraphRunner
from dsocr.runtime.execution.model_runner import ModelRunner
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.models.deepseek_ocr_spec import DeepseekOcrSpec
from dsocr.runtime.models.registry import FAMILIES, parse_config, read_config, read_family
from dsocr.runtime.models.unlimited_ocr_spec import (
    ARCHITECTURE,
    PROMPTS,
    RELEASED,
    RELEASED_SPEC,
    VIEWS,
)
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.scheduler import Limits
from dsocr.runtime.scheduling.sequence import SamplingParams, Sequence
from dsocr.runtime.spec import CheckpointError
from dsocr.runtime.text.prompt import prompt_ids
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.runtime.weights.check import check_folder, pixels_digest
from dsocr.runtime.weights.loader import load_model
from dsocr.types import NoRepeat
from tests.runtime.goldens import GOLDENS, golden_json, golden_page, write_unlimited_checkpoint
from tests.runtime.plain_decode import plain_steps
from tests.runtime.reading import encode_once, graph_runtime, outputs, plain_runtime, run
from tests.runtime.stages import Reader, distance
from tests.runtime.test_drafts import RULES, Scripted
from tests.runtime.test_generation import Restricted, assert_equal_while_safe, generate

pytestmark = pytest.mark.usefixtures("one_thread")

FOLDER = GOLDENS / "unlimited"
DECODER = golden_json("unlimited/decoder.json")
E2E = golden_json("unlimited/e2e.json")
WINDOW = 128
QUICK = (1, 2, 3)
"""Pages of one view."""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_unlimited_checkpoint(tmp_path_factory.mktemp("unlimited"))


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> DeepseekOcr:
    model: Any = load_model(
        checkpoint, device=torch.device("cpu"), dtype=torch.float32, attention="sdpa"
    )
    encode_once(model)
    return model


def continued(model: DeepseekOcr, sizes: list[int], kind: str) -> Tensor:
    """Hidden states of the forced output, in chunks of these sizes after the first."""
    for layer in model.decoder.layers:
        layer.self_attn.kind = kind
    prompt = DECODER["input_ids"]
    ids = [*prompt, *DECODER["forced_ids"]]
    reader, table, rows, start = Reader(model), [], [], 0
    for size in (len(ids) - sum(sizes), *sizes):
        chunk = reader.chunk(
            table, ids[start : start + size], num_cached=start, num_prompt=len(prompt)
        )
        rows.append(reader.hidden(chunk))
        start += size
    return torch.cat(rows)[len(prompt) :]


@pytest.mark.parametrize("kind", ["sdpa", "eager"])
@pytest.mark.parametrize("sizes", [[], [1] * 20, [100, 70, 3, 1, 90]])
def test_output_past_the_window_has_the_released_codes_hidden_states(
    model: DeepseekOcr, sizes: list[int], kind: str
) -> None:
    expected = load_file(FOLDER / "decoder.safetensors")["hidden"]
    assert len(expected) > 2 * WINDOW
    assert distance(continued(model, sizes, kind), expected) <= 1e-4


def test_the_window_changes_what_follows_it_alone(model: DeepseekOcr) -> None:
    hidden = load_file(FOLDER / "decoder.safetensors")["hidden"]
    reader = Reader(model)
    ids = [*DECODER["input_ids"], *DECODER["forced_ids"]]
    without = reader.hidden(reader.chunk([], ids))[len(DECODER["input_ids"]) :]
    assert distance(without[:WINDOW], hidden[:WINDOW]) <= 1e-4
    assert distance(without[WINDOW:], hidden[WINDOW:]) > 0.01


RunnerOf = Callable[[Any, Tokenizer, int], ModelRunner]


def plain_runner(model: Any, tokenizer: Tokenizer, num_blocks: int) -> ModelRunner:
    return ModelRunner(model, num_tokens=BLOCK_SIZE * num_blocks)


def device_runner(model: Any, tokenizer: Tokenizer, num_blocks: int) -> ModelRunner:
    """Its tokens are chosen from the device's tables."""
    return GraphRunner(
        model,
        num_tokens=BLOCK_SIZE * num_blocks,
        max_num_seqs=8,
        special=replace(tokenizer.special, eos=-1),
        make_steps=plain_steps,
    )


@pytest.mark.parametrize("runner_of", [plain_runner, device_runner])
@pytest.mark.parametrize("restricted", [False, True])
def test_a_batch_with_preemptions_becomes_the_released_codes_tokens(
    model: DeepseekOcr, tokenizer: Tokenizer, runner_of: RunnerOf, restricted: bool
) -> None:
    """Of unequal prompts. With few tokens to choose from each rule bans many; the cache is too
    small for all sequences."""
    cases = [case for case in DECODER["generations"] if bool(case["allowed_ids"]) == restricted]
    chooses: Any = Restricted(model, cases[0]["allowed_ids"]) if restricted else model
    sequences = sequences_of(cases, tokenizer)
    limits = Limits(max_num_seqs=8, max_prefill_tokens=37, window=WINDOW)

    runner = runner_of(chooses, tokenizer, 8 * len(cases))
    preempted = generate(runner, sequences, limits)

    for one, case in zip(sequences, cases, strict=True):
        assert_equal_while_safe(one.output_ids, case)
    assert max(case["safe_prefix_len"] for case in cases) > WINDOW
    assert preempted


@pytest.mark.parametrize("runner_of", [plain_runner, device_runner])
def test_pages_with_drafts_become_the_released_codes_tokens(
    model: DeepseekOcr, tokenizer: Tokenizer, runner_of: RunnerOf
) -> None:
    """Beyond the window, whose blocks are freed meanwhile, and with preemptions."""
    cases = [case for case in DECODER["generations"] if not case["allowed_ids"]]
    sequences = sequences_of(cases, tokenizer)
    for number, (one, case) in enumerate(zip(sequences, cases, strict=True)):
        if rule := RULES[number % len(RULES)]:
            one.drafter = Scripted(rule, case["output_ids"])  # type: ignore[assignment]
    limits = Limits(max_num_seqs=8, max_prefill_tokens=37, window=WINDOW)

    preempted = generate(runner_of(model, tokenizer, 6 * len(cases)), sequences, limits)

    for one, case in zip(sequences, cases, strict=True):
        assert_equal_while_safe(one.output_ids, case)
    assert max(len(one.output_ids) for one in sequences if one.drafter) > WINDOW
    assert preempted


@pytest.mark.gpu
def test_kernels_become_the_released_codes_tokens(checkpoint: Path, tokenizer: Tokenizer) -> None:
    device = torch.device("cuda")
    model: Any = load_model(
        checkpoint, device=device, dtype=torch.float32, attention="sdpa", kernels=True
    )
    special = replace(tokenizer.special, eos=-1)
    cases = [case for case in DECODER["generations"] if not case["allowed_ids"]]
    runner = GraphRunner(model, num_tokens=BLOCK_SIZE * 24, max_num_seqs=4, special=special)
    sequences = sequences_of(cases, tokenizer)

    generate(runner, sequences, Limits(max_num_seqs=4, max_prefill_tokens=37, window=WINDOW))

    for one, case in zip(sequences, cases, strict=True):
        assert_equal_while_safe(one.output_ids, case)


def sequences_of(cases: list[dict[str, Any]], tokenizer: Tokenizer) -> list[Sequence]:
    """Under each case's rule; no token ends them."""
    special = replace(tokenizer.special, eos=-1)
    return [
        Sequence(
            case["input_ids"],
            SamplingParams(max_tokens=len(case["output_ids"]), no_repeat=rule(case)),
            1000,
            special,
            guards_prompt=True,
        )
        for case in cases
    ]


def rule(case: dict[str, Any]) -> NoRepeat | None:
    return NoRepeat(case["ngram"], case["window"] or None) if case["ngram"] else None


def page_requests(numbers: tuple[int, ...]) -> list[Request]:
    requests = []
    for number in numbers:
        case = E2E["cases"][number]
        params = SamplingParams(max_tokens=len(case["output_ids"]), no_repeat=rule(case))
        page = golden_page(case["image"])
        requests.append(Request(number, page, E2E["prompt"], case["mode"], params))
    return requests


@pytest.mark.parametrize(
    "numbers",
    [QUICK, pytest.param(tuple(range(len(E2E["cases"]))), marks=pytest.mark.slow)],
    ids=["quick", "all"],
)
@pytest.mark.parametrize("ahead", [False, True])
def test_pages_read_together_become_the_released_codes_tokens(
    model: DeepseekOcr,
    tokenizer: Tokenizer,
    monkeypatch: pytest.MonkeyPatch,
    numbers: tuple[int, ...],
    ahead: bool,
) -> None:
    features: list[Tensor] = []
    arrange = model.arrange

    def arrange_recorded(views: Any, page: PageViews) -> Tensor:
        features.append(arrange(views, page))
        return features[-1]

    monkeypatch.setattr(model, "arrange", arrange_recorded)
    limits = Limits(max_num_seqs=4, max_prefill_tokens=300, window=WINDOW)
    runtime = (
        graph_runtime(model, tokenizer, plain_steps, limits=limits)
        if ahead
        else plain_runtime(model, tokenizer, limits=limits)
    )
    for one in page_requests(numbers):
        runtime.submit(one)

    events = run(runtime)

    done = {one.request_id: one for one in events if isinstance(one, Done)}
    for number, tokens in outputs(events).items():
        case, rows = E2E["cases"][number], load_file(FOLDER / "e2e.safetensors")
        assert done[number].num_prompt_tokens == case["n_input_ids"]
        assert_equal_while_safe(tokens, case)
        some = [page[:: case["n_input_ids"] // 16] for page in features]
        expected = rows[f"case{number}"]
        like = [page for page in some if page.shape == expected.shape]
        assert min(distance(page, expected) for page in like) <= 1e-4
    assert runtime.load.cache_used == 0


PREPROCESS = golden_json("unlimited/preprocess.json")
BY_PILLOW = PREPROCESS.get(f"Pillow {max(12, int(PIL.__version__.partition('.')[0]))}", {})


@pytest.mark.parametrize("name", BY_PILLOW)
def test_a_page_gets_the_released_codes_views_and_ids(
    model: DeepseekOcr, tokenizer: Tokenizer, name: str
) -> None:
    image, mode = name.split()
    wanted = BY_PILLOW[name]
    views = model.prepare(golden_page(image), mode)
    assert list(views.grid) == wanted["grid_w_h"]
    assert digest(views.global_view) == wanted["global"]
    assert (None if views.tiles is None else digest(views.tiles)) == wanted["local"]
    count = model.num_image_tokens(views)
    ids = prompt_ids(tokenizer, PROMPTS["markdown"], num_image_tokens=count)
    packed = struct.pack(f"<{len(ids)}q", *ids)
    assert hashlib.sha256(packed).hexdigest() == wanted["sha256_input_ids_int64le"]


def digest(views: Tensor) -> str:
    return hashlib.sha256(views.numpy().tobytes()).hexdigest()


def test_some_page_has_more_tiles_than_v1_allows_and_none_more_than_32() -> None:
    most = max(one["grid_w_h"][0] * one["grid_w_h"][1] for one in BY_PILLOW.values())
    assert 9 < most <= VIEWS.max_tiles == 32
    assert VIEWS.allowed_tiles(40) == 32 and VIEWS.allowed_tiles(5) == 5


def test_the_released_config_is_the_known_spec() -> None:
    config = read_config(FOLDER / "released")
    assert parse_config(config) == RELEASED_SPEC
    assert RELEASED_SPEC.decoder.window == WINDOW
    assert FAMILIES[ARCHITECTURE].released is RELEASED


@pytest.mark.parametrize(("outer", "inner"), [(None, 64), (64, None), (64, 128)])
def test_the_window_is_taken_from_either_level_the_upper_first(
    outer: int | None, inner: int | None
) -> None:
    config = dict(read_config(FOLDER))
    del config["sliding_window"]
    nested = config["language_config"] | {"sliding_window_size": inner}
    spec = parse_config(config | {"sliding_window_size": outer, "language_config": nested})
    assert isinstance(spec, DeepseekOcrSpec) and spec.decoder.window == 64


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"sliding_window": None, "sliding_window_size": None}, "lacks sliding_window_size"),
        ({"sliding_window_size": 0}, "lacks sliding_window_size"),
        ({"sliding_window_size": "many"}, "wrong kind"),
        ({"use_mla": True}, "use_mla"),
    ],
)
def test_a_config_without_a_window_or_with_what_is_not_supported_is_refused(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    config = dict(read_config(FOLDER)) | change
    config["language_config"] = config["language_config"] | change
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=named):
        read_family(tmp_path)


def test_a_folder_is_checked_as_its_family(checkpoint: Path) -> None:
    results = {one.name: one for one in check_folder(checkpoint)}
    assert {name: one.state for name, one in results.items()} == {
        "tensors": "ok",
        "tokenizer": "ok",
        "pixels": "ok",
    }
    assert "context 32768" in results["tensors"].detail
    assert pixels_digest(RELEASED) in RELEASED.views_sha256.values()
