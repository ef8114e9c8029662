"""Pages read by stand-ins of each server program."""

from __future__ import annotations

import asyncio
import dataclasses
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dsocr.config import Settings
from dsocr.engines.base import Engine
from dsocr.engines.deepseek.remote.config import RemoteConfig, parse_urls
from dsocr.engines.deepseek.remote.engine import create_engine, examine_server
from dsocr.errors import BadCheckpoint, EngineUnavailable
from dsocr.types import NoRepeat, PageImage
from tests.engines.deepseek.remote.stand_in import LOGPROB, MODEL, StandIn, running
from tests.fakes import OPTIONS, FakeEngine, png
from tests.served import served

TAG = "<|ref|>text<|/ref|><|det|>[[100, 100, 900, 200]]<|/det|>\n"


def page(*lines: str, size: tuple[int, int] = (60, 80), index: int = 0) -> PageImage:
    """The lines are hidden in its pixels, which PNG keeps."""
    image = Image.open(io.BytesIO(png(lines, size=size))).convert("RGB")
    return PageImage(index, image, *image.size)


def config(*servers: StandIn, **changes: Any) -> RemoteConfig:
    urls = tuple(server.url for server in servers)
    return RemoteConfig(urls, image_format="png", **changes)


@asynccontextmanager
async def engine_of(*servers: StandIn, **changes: Any) -> AsyncIterator[Engine]:
    """A started engine on servers that are started for it."""
    async with running(*servers):
        engine = create_engine(config(*servers, **changes))
        await engine.start()
        try:
            yield engine
        finally:
            await engine.close()


@pytest.mark.parametrize("kind", ["vllm", "sglang", "llamacpp", "ollama"])
async def test_every_server_reads_a_page_with_its_boxes_and_streams_it(kind: str) -> None:
    server, pieces = StandIn(kind), list[str]()
    async with engine_of(server) as engine:
        result = await engine.recognize(page("words", index=3), OPTIONS, on_text=pieces.append)

    assert (result.index, result.markdown, result.finish_reason) == (3, "words", "stop")
    assert result.raw == "".join(pieces) == TAG + "words"
    assert result.blocks[0].boxes
    assert result.usage.completion_tokens == len(pieces) > 1
    assert (engine.info.name, engine.info.model) == ("remote", MODEL)
    assert engine.info.device == f"server-1 ({kind})"


@pytest.mark.parametrize("kind", ["vllm", "sglang", "llamacpp"])
async def test_log_probabilities_become_confidence(kind: str) -> None:
    async with engine_of(StandIn(kind)) as engine:
        result = await engine.recognize(page("words"), OPTIONS)

    assert result.blocks[0].confidence == pytest.approx(2.718281828**LOGPROB)


async def test_a_server_without_log_probabilities_gives_no_confidence() -> None:
    async with engine_of(StandIn("ollama")) as engine:
        result = await engine.recognize(page("words"), OPTIONS)

    assert result.blocks[0].confidence is None


async def test_vllm_gets_the_plain_prompt_and_the_no_repeat_rule() -> None:
    server = StandIn("vllm")
    async with engine_of(server) as engine:
        assert engine.info.supports_no_repeat
        await engine.recognize(page("a"), replace(OPTIONS, no_repeat_ngram=NoRepeat(30, 90)))
        await engine.recognize(page("a"), replace(OPTIONS, no_repeat_ngram=NoRepeat(20)))

    first, second = server.requests
    image, text = first["messages"][0]["content"]
    assert text["text"] == "<image>\n<|grounding|>Convert the document to markdown."
    assert image["image_url"]["url"].startswith("data:image/png;base64,")
    assert first["skip_special_tokens"] is False
    assert first["vllm_xargs"] == {
        "ngram_size": 30,
        "window_size": 90,
        "whitelist_token_ids": [128821, 128822],
    }
    assert second["vllm_xargs"]["window_size"] == 8192
    assert second["vllm_xargs"]["whitelist_token_ids"] == []
    assert "max_tokens" not in first


async def test_sglang_gets_its_processor_where_the_settings_have_it() -> None:
    server = StandIn("sglang")
    options = replace(OPTIONS, no_repeat_ngram=NoRepeat(30, 90))
    async with engine_of(server, sglang_processor='{"callable": "80"}') as engine:
        assert engine.info.supports_no_repeat
        await engine.recognize(page("a"), options)
    async with engine_of(server) as engine:
        assert not engine.info.supports_no_repeat
        await engine.recognize(page("a"), options)

    with_rule, without = server.requests
    assert with_rule["custom_logit_processor"] == '{"callable": "80"}'
    assert with_rule["custom_params"]["ngram_size"] == 30
    assert "custom_params" not in without


@pytest.mark.parametrize("kind", ["llamacpp", "ollama"])
async def test_a_server_that_would_generate_without_end_gets_a_limit(kind: str) -> None:
    server = StandIn(kind)
    async with engine_of(server) as engine:
        await engine.recognize(page("a"), OPTIONS)
        await engine.recognize(page("a"), replace(OPTIONS, max_tokens=7))

    assert [request["max_tokens"] for request in server.requests] == [8192, 7]


async def test_small_modes_send_a_reduced_picture_which_gets_no_tiles() -> None:
    server = StandIn("vllm")
    wide = page(size=(1600, 800))
    async with engine_of(server) as engine:
        results = [
            await engine.recognize(wide, replace(OPTIONS, mode=mode))
            for mode in ("gundam", "small", "tiny")
        ]

    assert [one.markdown for one in results] == ["1600 x 800", "640 x 320", "512 x 256"]
    assert (results[1].width, results[1].height) == (1600, 800)


async def test_jpeg_is_the_default_and_is_close_to_the_page() -> None:
    server = StandIn("vllm")
    async with running(server):
        engine = create_engine(dataclasses.replace(config(server), image_format="jpeg"))
        await engine.start()
        result = await engine.recognize(page(size=(100, 50)), OPTIONS)
        await engine.close()

    assert result.markdown == "100 x 50"
    url = server.requests[0]["messages"][0]["content"][0]["image_url"]["url"]
    assert RemoteConfig().image_format == "jpeg" and url.startswith("data:image/jpeg;base64,")


async def test_a_page_that_ends_at_the_limit_is_truncated() -> None:
    async with engine_of(StandIn()) as engine:
        result = await engine.recognize(page("words", "@length"), OPTIONS)

    assert result.finish_reason == "length"


async def test_cancelling_a_page_closes_its_request() -> None:
    server = StandIn()
    async with engine_of(server) as engine:
        reading = asyncio.ensure_future(engine.recognize(page("words", "@hang"), OPTIONS))
        while not server.running:
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        while not server.num_aborted:
            await asyncio.sleep(0)
        assert (await engine.recognize(page("more"), OPTIONS)).markdown == "more"
        assert engine.stats().outcomes == {"cancelled": 1, "ok": 1}


async def test_another_dsocr_is_a_server(tmp_path: Path) -> None:
    settings = Settings(runs_dir=tmp_path)
    other = FakeEngine()
    with served(settings, other) as port:
        remote = RemoteConfig((f"http://127.0.0.1:{port}/v1",), image_format="png")
        engine = create_engine(remote)
        await engine.start()
        options = replace(OPTIONS, mode="base", no_repeat_ngram=NoRepeat(30, 90))
        result = await engine.recognize(page("first", "second"), options)
        await engine.close()

    assert (engine.info.model, "base" in engine.info.modes) == ("deepseek-ocr", True)
    assert [block.text for block in result.blocks] == ["first", "second"]
    assert all(block.boxes for block in result.blocks)


async def test_the_key_is_sent_and_a_wrong_one_is_said() -> None:
    server = StandIn(api_key="secret")
    async with engine_of(server, api_key="secret") as engine:
        await engine.recognize(page("a"), OPTIONS)
        url = server.url
        assert await examine_server(url, config(server, api_key="secret")) == (
            True,
            f"vllm, model {MODEL}",
        )
        ready, reason = await examine_server(url, config(server))
        assert not ready and "DEEPSEEK_OCR_REMOTE_API_KEY" in reason
        assert "secret" not in repr(config(server, api_key="secret"))

    assert server.headers[0]["authorization"] == "Bearer secret"


async def test_a_server_with_another_model_does_not_start() -> None:
    server = StandIn(model="qwen")
    async with running(server):
        engine = create_engine(config(server, model="deepseek-ocr"))
        with pytest.raises(EngineUnavailable, match="no model 'deepseek-ocr'; it has: qwen"):
            await engine.start()
        await engine.close()


async def test_ollama_is_asked_for_a_model_by_its_short_name() -> None:
    async with engine_of(
        StandIn("ollama", model="deepseek-ocr:latest"), model="deepseek-ocr"
    ) as engine:
        assert (await engine.recognize(page("a"), OPTIONS)).markdown == "a"


async def test_a_server_that_loads_is_not_ready() -> None:
    server = StandIn("llamacpp", loading=True)
    async with running(server):
        assert await examine_server(server.url, config(server)) == (
            False,
            "/health answers with status 503",
        )


def test_an_engine_without_servers_says_which_setting_names_them() -> None:
    with pytest.raises(BadCheckpoint, match="DEEPSEEK_OCR_REMOTE_URLS"):
        create_engine(RemoteConfig())


def test_urls_are_checked() -> None:
    assert parse_urls("http://a:1/v1, https://b/x/v1/ ,http://c") == (
        "http://a:1",
        "https://b/x",
        "http://c",
    )
    for wrong in ("gpu1:8000", "ftp://a", "http://u:p@a/v1", "http://a/v1?x=1"):
        with pytest.raises(ValueError):
            parse_urls(wrong)
