from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from dsocr.pages.config import PagesConfig
from dsocr.pages.sandbox import Sandbox


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(PagesConfig(workers=1)) as sandbox:
        yield sandbox
