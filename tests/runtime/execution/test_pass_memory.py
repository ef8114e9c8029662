"""The memory of a pass through the vision towers, which memory plans rely on: counted at full size
on `meta`, kernels left out."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dsocr.runtime.kernels import elementwise, sam_attention
from dsocr.runtime.layers import resize
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.models.deepseek_ocr_spec import VIEWS, parse
from dsocr.runtime.models.registry import read_config
from tests.runtime.goldens import GOLDENS

META = torch.device("meta")
KERNELS = {
    sam_attention: ("_relative_bias", "_attend_rows", "_attend_window"),
    elementwise: ("_normalize", "_quick_gelu", "_add_layernorm"),
}


class Unlaunched:
    """A kernel that does nothing: what it writes to is there already."""

    def __getitem__(self, grid: object) -> Any:
        return lambda *values, **settings: None


class Held(TorchDispatchMode):
    """Bytes of tensors that were made inside and live on; the most there were."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.now = self.most = 0
        weights = (parameter.untyped_storage() for parameter in model.parameters())
        self._known = {storage._cdata for storage in weights}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for one in tree_leaves(made):
            if isinstance(one, Tensor):
                self._hold(one.untyped_storage())
        return made

    def _hold(self, storage: torch.UntypedStorage) -> None:
        if storage._cdata in self._known:
            return
        self._known.add(storage._cdata)
        self.now += storage.nbytes()
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._let_go, storage._cdata, storage.nbytes())

    def _let_go(self, number: int, count: int) -> None:
        self._known.discard(number)
        self.now -= count


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> DeepseekOcr:
    """The released sizes, by kernels."""
    for module, names in KERNELS.items():
        for name in names:
            monkeypatch.setattr(module, name, Unlaunched())
    with META:
        model = DeepseekOcr(
            parse(read_config(GOLDENS / "checkpoint-files")), attention="sdpa"
        ).bfloat16()

    def resized(self: resize.ResizedTable, weight: Tensor, size: int) -> Tensor:
        return self._resize(torch.zeros(weight.shape), size).to(META, weight.dtype)

    monkeypatch.setattr(resize.ResizedTable, "__call__", resized)
    model.use_kernels()
    return model


@pytest.mark.parametrize(
    ("side", "count", "bytes_a_pixel"),
    [(640, 1, 70), (640, 6, 70), (1024, 1, 70), (1024, 4, 70), (1280, 1, 82)],
)
def test_a_pass_holds_no_more_than_is_planned_for(
    model: DeepseekOcr, side: int, count: int, bytes_a_pixel: int
) -> None:
    """Tensors alone; what is planned for leaves some for the libraries' own."""
    with torch.inference_mode(), Held(model) as held:
        features = model.encode(torch.empty(count, side, side, 3, dtype=torch.uint8, device=META))
    assert features.shape == (count, (side // 64) ** 2, 1280)
    assert (
        held.most
        <= bytes_a_pixel * count * side**2
        < VIEWS.encode_bytes_per_pixel * count * side**2
    )
    # and the count is a count: each token of SAM's has at least its MLP's numbers and its own
    assert held.most >= 5 * 768 * 2 * count * (side // 16) ** 2
