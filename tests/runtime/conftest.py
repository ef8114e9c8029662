"""The tiny checkpoint, made once a session, and its model; corrections to Triton's interpreter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from dsocr.runtime.kernels.triton_compat import INSTALLED
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.models.deepseek_ocr2 import DeepseekOcr2
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.runtime.weights.loader import load_model
from tests.runtime.goldens import genuine_tokenizer
from tests.runtime.ocr2 import write_ocr2_checkpoint
from tests.runtime.reading import encode_once
from tests.runtime.recipe import write_tiny_checkpoint

if INSTALLED:
    from triton.runtime import interpreter

    _patch = interpreter._patch_lang_tensor

    def _patch_more(tensor: Any, scope: Any) -> None:
        """The interpreter of Triton 3.6 makes bounds of loops in a way that NumPy 2.4 refuses."""
        _patch(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    interpreter._patch_lang_tensor = _patch_more
    _convert = interpreter._convert_float

    def _convert_as_torch(x: Any, source: Any, target: Any, rounding: Any) -> Any:
        """Of fp8 the interpreter drops carries when it rounds, and it knows no NaN."""
        if target.name == "fp8e4nv" and source.name == "fp32":
            wide = torch.from_numpy(x.view(numpy.float32).copy())
            return wide.to(torch.float8_e4m3fn).view(torch.uint8).numpy()
        if source.name == "fp8e4nv" and target.name == "fp32":
            narrow = torch.from_numpy(x.view(numpy.uint8).copy()).view(torch.float8_e4m3fn)
            return narrow.float().numpy().view(numpy.uint32)
        return _convert(x, source, target, rounding)

    interpreter._convert_float = _convert_as_torch


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
    model: DeepseekOcr = load_model(
        tiny_checkpoint, device=torch.device("cpu"), dtype=torch.float32, attention="sdpa"
    )
    encode_once(model)
    return model


@pytest.fixture(scope="session")
def ocr2_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny DeepSeek-OCR-2 with the genuine tokenizer."""
    return write_ocr2_checkpoint(tmp_path_factory.mktemp("ocr2"))


@pytest.fixture(scope="session")
def ocr2_model(ocr2_checkpoint: Path) -> DeepseekOcr2:
    return load_model(
        ocr2_checkpoint, device=torch.device("cpu"), dtype=torch.float32, attention="sdpa"
    )


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """The genuine one."""
    folder = tmp_path_factory.mktemp("tokenizer")
    (folder / "tokenizer.json").write_bytes(genuine_tokenizer())
    return Tokenizer(folder)
