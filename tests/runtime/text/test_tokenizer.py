from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dsocr.runtime.spec import CheckpointError
from dsocr.runtime.text.tokenizer import Tokenizer
from tests.runtime.goldens import genuine_tokenizer, golden_json

GOLDEN = golden_json("tokenizer.json")


@pytest.mark.parametrize("case", GOLDEN["strings"], ids=lambda case: ascii(case["text"])[:30])
def test_text_becomes_the_released_ids_and_comes_back(
    tokenizer: Tokenizer, case: dict[str, Any]
) -> None:
    assert tokenizer.encode(case["text"]) == case["ids"]
    assert tokenizer.decode(case["ids"]) == case["decoded"]


def test_special_tokens_are_found_by_their_text(tokenizer: Tokenizer) -> None:
    ids = GOLDEN["special_ids"]

    assert tokenizer.special.bos == ids["<｜begin▁of▁sentence｜>"]
    assert tokenizer.special.eos == ids["<｜end▁of▁sentence｜>"]
    assert tokenizer.special.image == ids["<image>"]
    assert tokenizer.special.cells == {ids["<td>"], ids["</td>"]}


def test_special_tokens_elsewhere_are_still_found(tmp_path: Path) -> None:
    data = json.loads(genuine_tokenizer())
    data["added_tokens"] = [t for t in data["added_tokens"] if not 128000 <= t["id"] < 128100]
    (tmp_path / "tokenizer.json").write_text(json.dumps(data), "utf-8")

    special = Tokenizer(tmp_path).special

    assert special.image == GOLDEN["special_ids"]["<image>"] - 100


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b'{"version": "1.0"}'])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)

    with pytest.raises(CheckpointError, match=r"tokenizer\.json cannot be read"):
        Tokenizer(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"tokenizer\.json is missing"):
        Tokenizer(tmp_path)


def test_another_models_tokenizer_is_refused_by_the_tokens_it_lacks(tmp_path: Path) -> None:
    data = json.loads(genuine_tokenizer())
    data["added_tokens"] = [t for t in data["added_tokens"] if t["content"] != "<|grounding|>"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(data), "utf-8")

    with pytest.raises(CheckpointError, match=r"lacks the tokens <\|grounding\|>"):
        Tokenizer(tmp_path)
