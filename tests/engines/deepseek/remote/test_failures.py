"""Servers that die, are slow or busy, and answer wrongly: R15 and R16."""

from __future__ import annotations

import asyncio
import json
import time
from email.utils import formatdate
from typing import Any

import pytest

from dsocr.engines.base import Engine
from dsocr.engines.deepseek.remote.failures import failure_of, rest_seconds
from dsocr.engines.deepseek.remote.health import START_PAGES, ServerHealth
from dsocr.engines.deepseek.remote.stream import MAX_ANSWER_BYTES, AnswerReader
from dsocr.engines.retry_budget import RetryBudget
from dsocr.errors import ContextTooLong, DsocrError, EngineUnavailable, RemoteFailed
from dsocr.types import PageResult
from tests.engines.deepseek.remote.stand_in import Refusal, StandIn
from tests.engines.deepseek.remote.test_servers import engine_of, page
from tests.fakes import OPTIONS
from tests.waiting import until

FAST = {"probe_seconds": 0.05}


async def read(engine: Engine, count: int, *, at_once: int = 12) -> list[PageResult | DsocrError]:
    slots = asyncio.Semaphore(at_once)

    async def one(number: int) -> PageResult | DsocrError:
        async with slots:
            try:
                return await engine.recognize(page(f"page {number}", index=number), OPTIONS)
            except DsocrError as error:
                return error

    return await asyncio.gather(*map(one, range(count)))


def num_read(results: list[PageResult | DsocrError]) -> int:
    """Pages that have their own text."""
    return sum(
        isinstance(result, PageResult) and result.markdown == f"page {number}"
        for number, result in enumerate(results)
    )


async def test_pages_of_a_dead_server_are_read_by_the_others_and_it_comes_back() -> None:
    servers = [StandIn(), StandIn(), StandIn()]
    async with engine_of(*servers, **FAST) as engine:
        await read(engine, 12)
        await servers[0].stop()
        before = sum(len(server.requests) for server in servers)
        results = await read(engine, 120)
        attempts = sum(len(server.requests) for server in servers) - before

        await until(lambda: engine.stats().workers[0].state != "ready")
        assert num_read(results) == 120
        assert attempts <= 1.2 * 120
        assert engine.stats().ejections == 1
        assert engine.unhealthy_reason == ""
        assert ("engines", "2 of 3 ready") in engine.info.details

        await servers[0].start()
        await until(lambda: engine.stats().workers[0].state == "ready")
        read_before = len(servers[0].requests)
        assert num_read(await read(engine, 60, at_once=60)) == 60
        assert len(servers[0].requests) > read_before


async def test_a_slow_server_holds_up_few_pages() -> None:
    servers = [StandIn(), StandIn(), StandIn(seconds=600)]
    done = list[int]()
    async with engine_of(*servers) as engine:

        async def one(number: int) -> None:
            async with slots:
                await engine.recognize(page("words", index=number), OPTIONS)
                done.append(number)

        slots = asyncio.Semaphore(12)
        reading = [asyncio.ensure_future(one(number)) for number in range(60)]
        await until(lambda: len(done) == 60 - START_PAGES)
        assert len(servers[2].requests) == START_PAGES
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def test_a_busy_server_gets_no_page_before_its_retry_after() -> None:
    busy, other = StandIn(refuse_with=Refusal(429, "busy", {"Retry-After": "600"})), StandIn()
    async with engine_of(busy, other) as engine:
        results = await read(engine, 60)
        asked, state = len(busy.requests), engine.stats().workers[0]

        assert num_read(results) == 60
        assert asked <= 6  # those that were sent before the first refusal
        assert num_read(await read(engine, 20)) == 20
        assert len(busy.requests) == asked
        assert (state.outcomes or {})["busy"] == asked


async def test_a_page_waits_for_the_only_server_while_it_is_busy() -> None:
    server = StandIn(refuse_with=Refusal(503, "busy", {"Retry-After": "0.2"}))
    async with engine_of(server) as engine:
        reading = asyncio.ensure_future(engine.recognize(page("words"), OPTIONS))
        await until(lambda: server.requests)
        server.refuse_with = None
        assert (await reading).markdown == "words"


async def test_pages_that_a_busy_server_refuses_take_no_retries() -> None:
    server = StandIn()
    async with engine_of(server, retry_share=0.0) as engine:
        assert num_read(await read(engine, 16)) == 16
        server.refuse_with = Refusal(429, "busy", {"Retry-After": "0.1"})
        reading = asyncio.ensure_future(read(engine, 16, at_once=16))
        await until(lambda: engine.stats().outcomes.get("busy", 0) >= 16)
        server.refuse_with = None
        assert num_read(await reading) == 16


async def test_a_page_that_is_always_refused_fails_with_the_reason() -> None:
    busy = StandIn(refuse_with=Refusal(429, "busy", {"Retry-After": "0"}))
    async with engine_of(busy, wait_seconds=0.15, retry_share=0.0) as engine:
        results = await read(engine, 12)
        assert engine.stats().ejections == 0

    assert all(isinstance(result, EngineUnavailable) for result in results)
    assert all("busy" in str(result) for result in results)


async def test_a_server_gets_no_more_pages_than_it_may_have_in_flight() -> None:
    server = StandIn(seconds=600)
    async with engine_of(server) as engine:
        reading = [
            asyncio.ensure_future(engine.recognize(page("words", index=number), OPTIONS))
            for number in range(START_PAGES + 2)
        ]
        await until(lambda: server.running == START_PAGES)
        assert len(server.requests) == START_PAGES
        assert engine.stats().workers[0].pages == START_PAGES + 2
        reading[0].cancel()
        await until(lambda: len(server.requests) == START_PAGES + 1)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def test_refusals_of_pages_that_were_sent_together_reduce_a_server_once() -> None:
    health = ServerHealth(eject_failures=3, max_pages=32)
    for _ in range(32):
        health.succeeded()
    for seconds in (300, 600, 100):
        health.rest(seconds)
    assert health.max_pages == 16
    assert health._rest is not None
    assert health._rest.when() > asyncio.get_running_loop().time() + 500
    health.close()


async def test_retries_stop_when_the_budget_is_used_up() -> None:
    servers = [StandIn(refuse_with=Refusal(500, "out of order")) for _ in range(3)]
    async with engine_of(*servers, wait_seconds=0, retry_share=0.0, eject_failures=1000) as engine:
        results = await read(engine, 60)

    assert all(isinstance(result, DsocrError) and result.retryable for result in results)
    assert sum(len(server.requests) for server in servers) <= 60 + 10


def test_a_budget_grows_with_the_pages() -> None:
    budget = RetryBudget(0.5, burst=1)
    assert [budget.take(), budget.take()] == [True, False]
    budget.add_page()
    assert not budget.take()
    budget.add_page()
    assert budget.take()


async def test_a_page_that_fails_three_servers_is_given_up_and_streams_nothing_twice() -> None:
    servers = [StandIn(), StandIn(), StandIn()]
    pieces = list[str]()
    async with engine_of(*servers, eject_failures=9) as engine:
        with pytest.raises(RemoteFailed):
            await engine.recognize(page("poison", "@error"), OPTIONS, on_text=pieces.append)
        assert num_read(await read(engine, 3)) == 3

    assert sum(len(server.requests) for server in servers) == 6
    raw = "<|ref|>text<|/ref|><|det|>[[100, 100, 900, 200]]<|/det|>\npoison"
    assert raw.startswith("".join(pieces)) and pieces


async def test_a_stream_that_breaks_off_is_read_by_another_server() -> None:
    servers = [StandIn(), StandIn()]
    servers[0].raw_stream = b'data: {"choices": [{"index": 0, "delta": {"content": "<|ref'
    pieces = list[str]()
    async with engine_of(*servers) as engine:
        result = await engine.recognize(page("words"), OPTIONS, on_text=pieces.append)

    assert result.markdown == "words"
    assert "".join(pieces) == result.raw
    assert [len(server.requests) for server in servers] == [1, 1]


@pytest.mark.parametrize(
    "stream",
    [
        b"data: not json\n\n",
        b"data: [1, 2]\n\n",
        b'data: {"choices": [{"delta": {"content": 7}}]}\n\n',
        b'{"object": "error", "error": {"message": "no such model"}}\n',
        b'data: {"choices": [{"delta": {}, "finish_reason": "abort"}]}\n\n',
        b"data: [DONE]\n\n",
        b"<html>proxy</html>",
        b"x" * (2 << 20),
    ],
)
async def test_a_wrong_answer_is_a_clean_error(stream: bytes) -> None:
    async with engine_of(StandIn(raw_stream=stream), eject_failures=9) as engine:
        with pytest.raises(DsocrError) as failed:
            await engine.recognize(page("words"), OPTIONS)

    assert failed.value.retryable
    assert "proxy" not in failed.value.message and "no such" not in failed.value.message


async def test_an_answer_is_complete_without_the_end_of_its_response() -> None:
    chunk = {"choices": [{"delta": {"content": "words"}, "finish_reason": "length"}]}
    stream = f"data: {json.dumps(chunk)}\n\n".encode()
    server = StandIn(raw_stream=stream + b"data: [DONE]\n\n")
    async with engine_of(server) as engine:
        result = await engine.recognize(page("words"), OPTIONS)
        assert (result.raw, result.finish_reason) == ("words", "length")
        server.raw_stream = stream
        with pytest.raises(RemoteFailed):
            await engine.recognize(page("words"), OPTIONS)


def test_a_huge_answer_takes_bounded_memory() -> None:
    reader = AnswerReader(None)
    chunk = {"choices": [{"delta": {"content": ""}, "logprobs": None}], "pad": "x" * 60_000}
    line = b"data: " + json.dumps(chunk).encode() + b"\n"
    with pytest.raises(Exception, match="too long"):
        for _ in range(2 * MAX_ANSWER_BYTES // len(line)):
            reader.feed(line)
    assert reader._num_bytes < MAX_ANSWER_BYTES + 2 * len(line)


def test_tokens_are_counted_wherever_the_server_says_them() -> None:
    reader = AnswerReader(None)
    for chunk in (
        {"choices": [], "usage": {"prompt_tokens": 280, "completion_tokens": 7}},
        {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": None},
    ):
        reader.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    answer = reader.finish()
    assert (answer.prompt_tokens, answer.completion_tokens) == (280, 7)


def test_pieces_of_a_line_and_tokens_of_a_chunk_find_their_places() -> None:
    tokens = [{"token": "ab", "logprob": -1.0}, {"token": "\ufffd", "logprob": -2.0}]
    tokens.append({"token": "c", "logprob": -0.0})
    chunk = {"choices": [{"delta": {"content": "abéc"}, "logprobs": {"content": tokens}}]}
    last = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    data = "".join(f"data: {json.dumps(one, ensure_ascii=False)}\r\n\r\n" for one in (chunk, last))
    reader = AnswerReader(None)
    for byte in data.encode():
        reader.feed(bytes([byte]))
    answer = reader.finish()

    assert (answer.raw, answer.text_ends) == ("abéc", [2, 3, 4])
    assert answer.logprobs == [-1.0, -2.0, 0.0]


async def test_a_silent_server_is_left_after_its_time() -> None:
    silent, other = StandIn(seconds=60), StandIn()
    async with engine_of(silent, other, silence_seconds=2.0) as engine:
        result = await engine.recognize(page("words"), OPTIONS)
        outcomes = engine.stats().outcomes

    assert result.markdown == "words"
    assert outcomes == {"timeout": 1, "ok": 1}


async def test_without_any_server_pages_fail_as_unavailable() -> None:
    server = StandIn()
    async with engine_of(server, wait_seconds=0.05, eject_failures=1) as engine:
        await server.stop()
        results = await read(engine, 8)
        assert engine.unhealthy_reason
        await server.start()

    assert all(isinstance(result, EngineUnavailable) for result in results)


def test_statuses_are_understood() -> None:
    context = "This model's maximum context length is 8192 tokens."
    assert isinstance(failure_of(400, {}, context), ContextTooLong)
    assert isinstance(failure_of(422, {}, "secret page text"), RemoteFailed)
    assert "secret" not in failure_of(422, {}, "secret page text").message  # type: ignore[union-attr]
    assert failure_of(401, {}, "").final and failure_of(404, {}, "").final  # type: ignore[union-attr]
    assert failure_of(500, {}, "").by_page  # type: ignore[union-attr]
    assert failure_of(429, {"retry-after": "7"}, "").rest_seconds == 7  # type: ignore[union-attr]


def test_retry_after_is_a_number_or_a_date() -> None:
    assert rest_seconds("1.5") == 1.5
    assert rest_seconds(None) == rest_seconds("soon") == 1.0
    assert rest_seconds("100000") == 120.0
    assert 20 < rest_seconds(formatdate(time.time() + 30, usegmt=True)) <= 30


async def test_a_bad_page_does_not_eject_a_server() -> None:
    async with engine_of(StandIn(refuse_with=Refusal(400, "bad picture"))) as engine:
        results = await read(engine, 5)
        assert engine.unhealthy_reason == ""
        assert engine.stats().outcomes == {"refused": 5}

    codes: list[Any] = [getattr(result, "code", None) for result in results]
    assert codes == ["remote_failed"] * 5
