"""What every network is compiled with, whatever the processor."""

from __future__ import annotations

from typing import Any

import pytest

from dsocr.engines.ppocr.blocks.compose import LayoutModels
from dsocr.engines.ppocr.networks.network import Networks
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.orientation import TurnModel


def test_every_network_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    networks, compiled = Networks(1), []
    compile_one = networks.compile

    def recorded(*network: Any, **settings: Any) -> Any:
        compiled.append(compile_one(*network, **settings))
        return compiled[-1]

    monkeypatch.setattr(networks, "compile", recorded)
    Ocr(networks)  # two: detection and recognition
    TurnModel(networks)
    models = LayoutModels(networks)
    assert models.layout is not None and models.table is not None

    hints = [one.get_property("INFERENCE_PRECISION_HINT").get_type_name() for one in compiled]
    assert hints == ["f32"] * 5
