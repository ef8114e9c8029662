"""The precision that every network is compiled with."""

from __future__ import annotations

from typing import Any

import pytest

from dsocr.engines.ppocr.networks.network import Networks
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.networks.orientation import OrientationModel
from dsocr.engines.ppocr.networks.structure import StructureModels


@pytest.mark.parametrize("bfloat16", [True, False])
def test_only_recognition_computes_in_bfloat16_and_only_if_told_to(
    monkeypatch: pytest.MonkeyPatch, bfloat16: bool
) -> None:
    networks, compiled = Networks(1), []
    compile_one = networks.compile

    def recorded(*network: Any, **settings: Any) -> Any:
        compiled.append(compile_one(*network, **settings))
        return compiled[-1]

    monkeypatch.setattr(networks, "compile", recorded)
    Ocr(networks, bfloat16=bfloat16)  # two: detection and recognition
    OrientationModel(networks)
    models = StructureModels(networks)
    assert models.layout is not None and models.table is not None

    hints = [one.get_property("INFERENCE_PRECISION_HINT").get_type_name() for one in compiled]
    of_lines = "bf16" if bfloat16 and networks.has_bfloat16 else "f32"
    assert hints == ["f32", of_lines, "f32", "f32", "f32"]
