from __future__ import annotations

import pytest

from dsocr.engines.ppocr.networks.network import Networks
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.worker import PageReader


@pytest.fixture(scope="session")
def networks() -> Networks:
    return Networks(2)


@pytest.fixture(scope="session")
def ocr(networks: Networks) -> Ocr:
    return Ocr(networks)


@pytest.fixture(scope="session")
def page_reader() -> PageReader:
    return PageReader(2)
