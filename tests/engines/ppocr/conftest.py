from __future__ import annotations

import pytest

from dsocr.engines.ppocr.networks.network import Networks
from dsocr.engines.ppocr.networks.ocr import Ocr
from dsocr.engines.ppocr.recognizer import PageRecognizer


@pytest.fixture(scope="session")
def networks() -> Networks:
    return Networks(1)


@pytest.fixture(scope="session")
def ocr(networks: Networks) -> Ocr:
    return Ocr(networks)


@pytest.fixture(scope="session")
def recognizer() -> PageRecognizer:
    """With one thread: as many test processes as cores run at a time."""
    return PageRecognizer(1)
