"""What is measured beside ours: vLLM by a stand-in of its own API, and the table that compares."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from bench import gpu, vllm_peer


class FakeLlm:
    """Answers every page with as many tokens as it was asked for."""

    made: dict[str, Any]
    asked: list[tuple[int, SimpleNamespace]]

    def __init__(self, **settings: Any) -> None:
        type(self).made, type(self).asked = settings, []

    def generate(
        self, pages: list[dict[str, Any]], params: SimpleNamespace, *, use_tqdm: bool
    ) -> list[SimpleNamespace]:
        assert all(page["prompt"].count("<image>") == 1 for page in pages)
        assert all(page["multi_modal_data"]["image"].size == (1200, 1600) for page in pages)
        self.asked.append((len(pages), params))
        output = SimpleNamespace(token_ids=range(params.max_tokens))
        return [SimpleNamespace(outputs=[output]) for _ in pages]


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> type[FakeLlm]:
    module, models = ModuleType("vllm"), ModuleType("vllm.model_executor.models.deepseek_ocr")
    vars(module).update(LLM=FakeLlm, SamplingParams=SimpleNamespace)
    vars(models).update(NGramPerReqLogitsProcessor="the rule")
    monkeypatch.setitem(sys.modules, "vllm", module)
    monkeypatch.setitem(sys.modules, models.__name__, models)
    return FakeLlm


def test_vllm_reads_the_same_pages_by_the_same_rules(
    vllm: type[FakeLlm],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["vllm_peer.py", str(tmp_path), "--tokens", "20"])

    vllm_peer.main()

    figures = json.loads(capsys.readouterr().out)
    assert figures.keys() <= {line["figure"] for line in gpu.summary(everything())}
    assert vllm.made["logits_processors"] == ["the rule"]
    assert vllm.made["load_format"] == "dummy"
    assert [(count, params.max_tokens) for count, params in vllm.asked] == [
        (4, 8),
        *[(1, 1000)] * 3,
        (1, 1),
        (512, 20),
    ]
    for _, params in vllm.asked:
        assert params.ignore_eos and params.temperature == 0
        assert (params.extra_args["ngram_size"], params.extra_args["window_size"]) == (30, 90)


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
    ]


def test_the_summary_sets_peers_beside_ours() -> None:
    peer = {"row": "peer hf", "figure": "single-stream decode tok/s", "measured": 50}
    lines = gpu.summary([*everything(), peer])
    by_name = {line["figure"]: line for line in lines}
    assert len(lines) == len(gpu.GOALS) == len(gpu.QUOTED)
    assert by_name["gundam pages/s"]["measured"] == 27.0
    assert by_name["start to first token s, warm"]["measured"] == 6
    assert by_name["single-stream decode tok/s"]["peer hf"] == 50
    assert by_name["base pages/s"]["peer hf"] == ""
    assert "peer hf" not in gpu.summary(everything())[0]
