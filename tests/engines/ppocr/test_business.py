"""Business pages in many layouts are read as a person reads them, with the real layout model."""

from __future__ import annotations

import pytest

from dsocr.engines.ppocr.blocks.compose import compose_page
from dsocr.engines.ppocr.networks.network import Networks
from dsocr.engines.ppocr.networks.structure import StructureModels
from tests.engines.ppocr import business

SEEDS = range(40, 46)
"""Not those that the rules were tried on."""


@pytest.fixture(scope="module")
def models(networks: Networks) -> StructureModels:
    return StructureModels(networks)


def text_of(sheet: business.Sheet, models: StructureModels) -> str:
    blocks = compose_page(sheet.pixels, sheet.lines, models=models).blocks
    return business.flat(block.text for block in blocks)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", business.KINDS)
def test_text_comes_in_the_order_of_a_reader(kind: str, seed: int, models: StructureModels) -> None:
    sheet = business.sheet_of(kind, seed)
    text = text_of(sheet, models)

    assert business.is_in_order(text, sheet.order), text
