"""The tiny checkpoint, made once a session, and its model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from dsocr.runtime.loader import load_model
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.tokenizer import Tokenizer
from tests.runtime.goldens import genuine_tokenizer
from tests.runtime.recipe import write_tiny_checkpoint


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Threads that wait for one another cost more than they bring on so small a model."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_model(tiny_checkpoint: Path) -> DeepseekOcr:
    return load_model(
        tiny_checkpoint, device=torch.device("cpu"), dtype=torch.float32, attention="sdpa"
    )


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """The genuine one."""
    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "tokenizer.json").write_bytes(genuine_tokenizer())
    return Tokenizer(folder)
