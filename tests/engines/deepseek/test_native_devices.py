"""Two workers of the native engine on the tiny checkpoint, both on the CPU."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from dsocr.engines.deepseek.devices import create_engine
from dsocr.engines.pool import EnginePool
from dsocr.process.supervisor import Supervisor
from dsocr.runtime.config import RuntimeConfig
from dsocr.types import NoRepeat, OcrOptions, PageImage
from tests.runtime.goldens import golden_json, golden_page, write_reading_checkpoint
from tests.waiting import until

pytest.importorskip("torch")

CASE = next(one for one in golden_json("tiny/e2e.json")["cases"] if one["image"].startswith("a13"))
OPTIONS = OcrOptions("custom", "tiny", CASE["prompt"], 6, no_repeat_ngram=NoRepeat(20))


def page(index: int) -> PageImage:
    image = golden_page(CASE["image"])
    return PageImage(index, image, image.width, image.height)


def supervisors(pool: EnginePool) -> list[Supervisor]:
    found = [member.engine._supervisor for member in pool._members]
    assert all(found)
    return found


@pytest.mark.slow
async def test_killing_one_of_two_workers_under_fifty_pages_loses_none(tmp_path: Path) -> None:
    config = RuntimeConfig(
        model_path=write_reading_checkpoint(tmp_path), device="cpu,cpu", max_num_seqs=24
    )
    pool = create_engine(config)
    assert isinstance(pool, EnginePool)
    await pool.start()
    await until(lambda: all(one.state == "ready" for one in pool.stats().workers))
    alone = await pool.recognize(page(0), OPTIONS)
    killed, other = supervisors(pool)
    assert killed.pid is not None and other.pid is not None
    texts: dict[int, str] = {}

    async def read(number: int) -> str:
        def add(piece: str) -> None:
            texts[number] = texts.get(number, "") + piece

        return (await pool.recognize(page(number), OPTIONS, on_text=add)).raw

    # frozen until its pages are sent, then killed while it reads
    os.kill(killed.pid, signal.SIGSTOP)
    reading = [asyncio.create_task(read(number)) for number in range(50)]
    await until(lambda: sum(one.sent for one in killed._inflight.pages.values()) == 25)
    os.kill(killed.pid, signal.SIGCONT)
    await until(lambda: killed.num_running > 0)
    os.kill(killed.pid, signal.SIGKILL)

    results = await asyncio.gather(*reading)

    assert set(results) == {alone.raw}
    assert texts == dict.fromkeys(range(50), alone.raw)
    assert killed.restarts == {"crash": 1} and other.restarts == {}
    await until(lambda: all(one.state == "ready" for one in pool.stats().workers))
    await pool.close()
