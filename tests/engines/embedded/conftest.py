from __future__ import annotations

import pytest

from dsocr.engines.embedded.network import Networks
from dsocr.engines.embedded.ocr import Ocr
from dsocr.engines.embedded.worker import PageReader


@pytest.fixture(scope="session")
def networks() -> Networks:
    return Networks(2)


@pytest.fixture(scope="session")
def ocr(networks: Networks) -> Ocr:
    return Ocr(networks)


@pytest.fixture(scope="session")
def page_reader() -> PageReader:
    return PageReader(2)
