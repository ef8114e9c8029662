"""The decoder against the released code's values (spec 5), and against itself in other shapes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from dsocr.runtime.config import AttentionName
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.weights.loader import load_model
from tests.runtime.reference import golden, golden_tensors
from tests.runtime.stages import Reader, decoder_modules, distance, watching

CPU = torch.device("cpu")
ROUNDING = 5e-5
"""Sums taken in another order differ by this much at most (about 1e-5 is seen)."""


@pytest.fixture
def reader(tiny_model: DeepseekOcr) -> Reader:
    return Reader(tiny_model)


def whole(reader: Reader, ids: list[int]) -> Tensor:
    return reader.hidden(reader.chunk([], ids))


def test_hidden_states_agree_with_the_released_code(reader: Reader) -> None:
    with watching(decoder_modules(reader.model)) as seen:
        whole(reader, golden("decoder")["input_ids"])
    expected = golden_tensors("decoder")
    assert len(seen) == 4
    assert all(distance(state, expected[name]) <= 1e-4 for name, state in seen.items())


def test_attention_and_experts_agree_with_the_released_code(reader: Reader) -> None:
    layer = reader.model.decoder.layers[1]
    parts = {
        "layer1.attn_out": layer.self_attn,
        "layer1.moe_in": layer.post_attention_layernorm,
        "layer1.moe_out": layer.mlp,
        "layer1.shared_out": layer.mlp.shared_experts,
        "router": layer.mlp.gate,
    }
    with watching(parts) as seen:
        whole(reader, golden("decoder")["input_ids"])
    expected = golden_tensors("decoder")
    weights, experts = seen.pop("router")
    assert torch.equal(experts, expected["layer1.topk_idx_desc"])
    assert distance(weights, expected["layer1.topk_weight_desc"]) <= 1e-6
    assert all(distance(out, expected[name]) <= 1e-4 for name, out in seen.items())


def test_logits_agree_with_the_released_code(reader: Reader) -> None:
    golden_decoder, expected = golden("decoder"), golden_tensors("decoder")
    logits = reader.model.logits(whole(reader, golden_decoder["input_ids"]))
    columns = logits[:, golden_decoder["logit_sample_columns"]]
    assert logits.dtype == torch.float32
    assert distance(columns, expected["logits.sampled_columns"]) <= 1e-4
    assert distance(logits[-1], expected["logits.last_position"]) <= 1e-4
    top = [row["ids"] for row in golden_decoder["per_position_top10"]]
    assert logits.topk(10).indices.tolist() == top


def test_greedy_tokens_are_the_released_codes(reader: Reader) -> None:
    [plain] = [g for g in golden("decoder")["generations"] if g["kind"] == "none"]
    tokens = reader.greedy(golden("decoder")["input_ids"], plain["max_new_tokens"])
    assert plain["safe_prefix_len"] == len(tokens)
    assert tokens == plain["output_ids"]


@pytest.mark.parametrize("sizes", [[1] * 48, [47, 1], [16, 16, 16], [5, 30, 1, 12]])
def test_a_prompt_in_chunks_equals_the_whole(reader: Reader, sizes: list[int]) -> None:
    ids = golden("decoder")["input_ids"]
    expected = whole(reader, ids)
    table: list[int] = []
    pieces: list[Tensor] = []
    done = 0
    for size in sizes:
        chunk = reader.chunk(table, ids[done : done + size], num_cached=done)
        pieces.append(reader.hidden(chunk))
        done += size
    assert distance(torch.cat(pieces), expected) <= ROUNDING


def test_sequences_together_equal_each_alone(reader: Reader) -> None:
    """Two decoding, one whole prompt, one in the middle of its prompt: one step of all."""
    ids = golden("decoder")["input_ids"]
    prompts = [ids[:20], ids[10:43], ids[5:48], ids[:37]]
    alone = [whole(reader, prompt) for prompt in prompts]
    tables: list[list[int]] = [[], [], [], []]
    cached = [19, 32, 0, 12]
    for table, prompt, count in zip(tables, prompts, cached, strict=True):
        if count:
            reader.hidden(reader.chunk(table, prompt[:count]))
    chunks = [
        reader.chunk(table, prompt[count:], num_cached=count)
        for table, prompt, count in zip(tables, prompts, cached, strict=True)
    ]
    together = reader.hidden(*chunks)
    expected = torch.cat([hidden[count:] for hidden, count in zip(alone, cached, strict=True)])
    assert distance(together, expected) <= ROUNDING


def test_sequences_of_any_length_decode_together_as_alone(reader: Reader) -> None:
    ids = golden("decoder")["input_ids"]
    outputs: dict[int, list[int]] = {3: [], 17: [], 48: []}
    alone = {length: reader.greedy(ids[:length], 10) for length in outputs}
    tables: dict[int, list[int]] = {length: [] for length in outputs}
    new = {length: ids[:length] for length in outputs}
    cached = dict.fromkeys(outputs, 0)
    for _ in range(10):
        chunks = [
            reader.chunk(tables[length], new[length], num_cached=cached[length])
            for length in outputs
        ]
        hidden = reader.hidden(*chunks)
        ends = [sum(len(chunk.token_ids) for chunk in chunks[: i + 1]) - 1 for i in range(3)]
        tokens = reader.model.logits(hidden[ends]).argmax(-1).tolist()
        for length, token in zip(outputs, tokens, strict=True):
            outputs[length].append(token)
            cached[length] += len(new[length])
            new[length] = [token]
    assert outputs == alone


def test_image_features_replace_placeholders_chunk_by_chunk(reader: Reader) -> None:
    ids = golden("decoder")["input_ids"]
    rows = [3, 4, 5, 6, 20]
    embeddings = reader.model.decoder.embed_tokens.weight[[ids[row] for row in rows]]
    blanked = [7 if index in rows else token for index, token in enumerate(ids)]
    expected = whole(reader, ids)
    at_once = reader.hidden(reader.chunk([], blanked, features=embeddings, feature_rows=rows))
    table: list[int] = []
    first = reader.chunk(table, blanked[:5], features=embeddings[:2], feature_rows=[3, 4])
    pieces = [reader.hidden(first)]
    second = reader.chunk(
        table, blanked[5:], num_cached=5, features=embeddings[2:], feature_rows=[0, 1, 15]
    )
    pieces.append(reader.hidden(second))
    assert distance(at_once, expected) <= ROUNDING
    assert distance(torch.cat(pieces), expected) <= ROUNDING


@pytest.mark.parametrize("kind", ["eager", "flash_attention_2"])
def test_attention_kinds_agree(tiny_checkpoint: Path, reader: Reader, kind: AttentionName) -> None:
    model = load_model(tiny_checkpoint, device=CPU, dtype=torch.float32, attention=kind)
    prompt = golden("decoder")["input_ids"]
    assert model.attention == ("eager" if kind == "eager" else "sdpa")
    other = Reader(model)
    assert distance(whole(other, prompt), whole(reader, prompt)) <= ROUNDING
    assert other.greedy(prompt, 8) == reader.greedy(prompt, 8)


def test_grouped_and_looped_experts_agree(reader: Reader) -> None:
    experts = reader.model.decoder.layers[1].mlp.experts
    assert experts.kind == "looped"
    x = torch.randn(37, 64, generator=torch.Generator().manual_seed(1))
    weights, chosen = reader.model.decoder.layers[1].mlp.gate(x)
    looped = experts(x, weights, chosen)
    experts.kind = "grouped"
    try:
        grouped = experts(x, weights, chosen)
    finally:
        experts.kind = "looped"
    assert distance(looped, grouped) <= ROUNDING


def test_bfloat16_stays_as_near_as_the_released_code_does(tiny_checkpoint: Path) -> None:
    model = load_model(tiny_checkpoint, device=CPU, dtype=torch.bfloat16, attention="sdpa")
    logits = model.logits(whole(Reader(model), golden("decoder")["input_ids"]))
    allowed, expected = golden("bf16_deviation")["decoder"], golden_tensors("decoder")
    columns = logits[:, golden("decoder")["logit_sample_columns"]]
    rows = golden("decoder")["per_position_top10"]
    off = (columns - expected["logits.sampled_columns"]).abs().mean().item()
    assert off <= 1.5 * allowed["logits_mean_abs_diff"]
    top = [(row["ids"][0], row["values"][0] - row["values"][1]) for row in rows]
    clear = [index for index, (_, margin) in enumerate(top) if margin > 0.1]
    assert len(clear) > 20
    assert [logits[index].argmax().item() for index in clear] == [top[index][0] for index in clear]


def test_float16_runs_and_stays_near(tiny_checkpoint: Path, reader: Reader) -> None:
    model = load_model(tiny_checkpoint, device=CPU, dtype=torch.float16, attention="sdpa")
    prompt = golden("decoder")["input_ids"]
    half = model.logits(whole(Reader(model), prompt))
    assert half.dtype == torch.float32
    assert distance(half, reader.model.logits(whole(reader, prompt))) <= 0.1
