from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from dsocr.pages.config import PagesConfig
from dsocr.pages.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One for the tests of a file: starting its child takes longer than most of them."""
    sandbox = Sandbox(PagesConfig(workers=1))
    yield sandbox
    asyncio.run(sandbox.close())
