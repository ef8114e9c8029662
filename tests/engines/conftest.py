"""The released tokenizer, for tests that turn reference tokens into text."""

from __future__ import annotations

from typing import Any

import pytest

from tests.runtime.goldens import genuine_tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    tokenizers = pytest.importorskip("tokenizers")
    whole = tokenizers.Tokenizer.from_str(genuine_tokenizer().decode())

    class Decoder:
        def decode(self, ids: list[int]) -> str:
            return str(whole.decode(ids, skip_special_tokens=False))

    return Decoder()
