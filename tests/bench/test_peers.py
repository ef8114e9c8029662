"""What is measured beside ours: vLLM by a stand-in of its own API, and the table that compares."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from itertools import groupby
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from bench.gpu import summary, vllm_peer
from tests.runtime.goldens import genuine_tokenizer


class FakeEngine:
    """Answers every page with as many tokens as it was asked for, once others had their turn."""

    made: dict[str, Any]
    asked: list[SimpleNamespace]
    most: int

    def __init__(self) -> None:
        self.renderer, self._open = self, 0
        type(self).asked, type(self).most = [], 0

    @classmethod
    def from_engine_args(cls, settings: SimpleNamespace) -> FakeEngine:
        assert os.environ["VLLM_LOGGING_STREAM"] == "ext://sys.stderr"
        cls.made = vars(settings)
        return cls()

    async def render_cmpl_async(self, pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        assert all(page["prompt"].count("<image>") == 1 for page in pages)
        assert all(page["multi_modal_data"]["image"].size == (1200, 1600) for page in pages)
        return [{"type": "multimodal"} for _ in pages]

    async def generate(
        self, page: dict[str, Any], params: SimpleNamespace, request_id: str
    ) -> AsyncIterator[SimpleNamespace]:
        assert page["type"] == "multimodal"
        assert int(request_id) == len(self.asked)
        self.asked.append(params)
        self._open += 1
        type(self).most = max(self.most, self._open)
        await asyncio.sleep(0.001)
        self._open -= 1
        yield SimpleNamespace(outputs=[SimpleNamespace(token_ids=range(params.max_tokens))])

    def shutdown(self) -> None:
        print("its last words", file=sys.stderr)


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> type[FakeEngine]:
    names = {
        "vllm": {"SamplingParams": SimpleNamespace},
        "vllm.sampling_params": {"RequestOutputKind": SimpleNamespace(FINAL_ONLY=2)},
        "vllm.engine.arg_utils": {"AsyncEngineArgs": SimpleNamespace},
        "vllm.v1.engine.async_llm": {"AsyncLLM": FakeEngine},
        "vllm.model_executor.models.deepseek_ocr": {"NGramPerReqLogitsProcessor": "the rule"},
    }
    for name, what in names.items():
        module = ModuleType(name)
        vars(module).update(what)
        monkeypatch.setitem(sys.modules, name, module)
    for name in vllm_peer.ENVIRONMENT:
        monkeypatch.setenv(name, "")
    return FakeEngine


def test_vllm_reads_the_same_pages_by_the_same_rules(
    vllm: type[FakeEngine],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.gpu.vllm_peer", str(tmp_path), "--tokens", "20"])

    vllm_peer.main()

    figures = json.loads(capsys.readouterr().out)
    assert figures.keys() <= {line["figure"] for line in summary.summarize(everything())}
    assert vllm.made["logits_processors"] == ["the rule"]
    assert vllm.made["load_format"] == "dummy"
    assert vllm.made["max_num_seqs"] == vllm.most == 256
    counts = [(n, len(list(same))) for n, same in groupby(one.max_tokens for one in vllm.asked)]
    assert counts == [(8, 4), (1, 3), (1000, 3), (20, 2 * 256 + 2 * 128)]
    for params in vllm.asked:
        assert params.ignore_eos and params.temperature == 0
        assert (params.extra_args["ngram_size"], params.extra_args["window_size"]) == (30, 90)


def test_vllm_is_told_which_tokens_begin_end_and_pad(
    vllm: type[FakeEngine], tmp_path: Path
) -> None:
    vllm_peer.start(tmp_path)

    told = json.loads((tmp_path / "tokenizer_config.json").read_text("utf-8"))
    genuine = {one["content"]: one["id"] for one in json.loads(genuine_tokenizer())["added_tokens"]}
    assert [genuine[told[f"{name}_token"]] for name in ("bos", "eos", "pad")] == [0, 1, 2]


def everything() -> list[dict[str, Any]]:
    """A line of every row that the summary reads."""
    return [
        {"row": "decode", "pages": 1, "tokens/s": 1700},
        {"row": "decode", "pages": 256, "tokens/s": 36000},
        {"row": "encode", "mode": "gundam", "alone ms": 11.0},
        {"row": "pages", "mode": "gundam", "pages/s": 20.0},
        {"row": "pages", "mode": "gundam", "pages/s": 27.0},
        {"row": "pages", "mode": "base", "pages/s": 41.0},
        {"row": "lone", "mode": "gundam", "seconds": 0.7},
        *({"row": "start", "kernel caches": "warm", "first token": one} for one in (9, 5, 6)),
        {"row": "start", "kernel caches": "cold", "first token": 40},
        *(draft_line("fast", pages, count) for pages, count in DRAFTED),
        draft_line("off", "nothing to draft", 256, rate=5000),
    ]


DRAFTED = (("mixed", 256), ("mixed", 32), ("alone", 1), ("nothing to draft", 256))


def draft_line(drafts: str, pages: str, count: int, rate: int = 4900) -> dict[str, Any]:
    line = {"row": "drafts", "drafts": drafts, "pages": pages, "in flight": count}
    rates = {"pages/s": 30.5, "tokens/s": rate, "decoded tokens/s of a page": 3000}
    return {**line, **rates, "s a page": 0.5}


def test_the_summary_sets_peers_beside_ours() -> None:
    peer = {"row": "peer hf", "figure": "single-stream decode tok/s", "measured": 50}
    lines = summary.summarize([*everything(), peer])
    by_name = {line["figure"]: line for line in lines}
    assert len(lines) == len(summary.goals())
    assert by_name["gundam pages/s"]["measured"] == 27.0
    assert by_name["start to first token s, warm"]["measured"] == 6
    assert by_name["single-stream decode tok/s"]["peer hf"] == 50
    assert by_name["base pages/s"]["peer hf"] == ""
    assert by_name["drafts: single-stream tok/s"]["measured"] == 3000
    assert by_name["drafts: loss in % where nothing can be drafted"]["measured"] == 2.0
    assert "peer hf" not in summary.summarize(everything())[0]


def test_the_summary_counts_pages_through_the_engine_where_they_were_read_so() -> None:
    rows = [
        {"row": "engine", "mode": "gundam", "in flight": 1, "pages/s": 1.5, "a page s": 0.69},
        {"row": "engine", "mode": "gundam", "in flight": 256, "pages/s": 26.0, "a page s": 9.0},
    ]
    by_name = {
        line["figure"]: line["measured"] for line in summary.summarize([*everything(), *rows])
    }
    assert by_name["gundam pages/s"] == 26.0
    assert by_name["base pages/s"] == 41.0
    assert by_name["gundam page alone s, 1,000 tokens"] == 0.69
