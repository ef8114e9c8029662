"""One server of the model, as a member of the pool."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2 as httpx

from dsocr import __version__, tracing
from dsocr.engines.base import EngineInfo, OnText
from dsocr.engines.deepseek.page_result import page_result
from dsocr.engines.deepseek.prompts import TASKS
from dsocr.engines.deepseek.remote.config import RemoteConfig
from dsocr.engines.deepseek.remote.described import ServerDescription, describe
from dsocr.engines.deepseek.remote.failures import ServerFailed, failure_of
from dsocr.engines.deepseek.remote.health import ServerHealth
from dsocr.engines.deepseek.remote.request import chat_body, picture_url
from dsocr.engines.deepseek.remote.servers import KINDS, PREPARED
from dsocr.engines.deepseek.remote.stream import Answer, AnswerReader
from dsocr.engines.stats import EngineStats
from dsocr.errors import DsocrError, EngineUnavailable, RemoteFailed
from dsocr.process.inflight import Suspicion, WorkerLost
from dsocr.types import OcrOptions, PageImage, PageResult, Usage

logger = logging.getLogger(__name__)

MAX_PAGE_FAILURES = 3
"""A page that made so many servers fail is given up."""
BUSY = "The servers of the model are busy. Try again later."
LOST = "The server of the model failed while it read this page. Try again later."
MAX_ERROR_BYTES = 64 << 10
KEEPALIVE_SECONDS = 2.0
"""An idle connection is not used again after so long. Servers close theirs after five seconds
(uvicorn), and a request that is sent just then is lost."""


class RemoteServer:
    """Recognizes pages by requests to one URL. Knows no other server: the pool chooses."""

    start_progress = None

    def __init__(self, number: int, url: str, config: RemoteConfig) -> None:
        """`number` counts the servers from 1; people see it in place of the URL."""
        self.url, self._number, self._config = url, number, config
        self._client: httpx.AsyncClient | None = None
        self._watching: asyncio.Task[None] | None = None
        self._health = ServerHealth(config.eject_failures, config.max_concurrency)
        self._room = asyncio.Event()
        """Set for a moment when the server may have a page more, or fails."""
        self._described: ServerDescription | None = None
        self._num_running = self._num_retries = self._num_answers = 0
        self._outcomes: Counter[str] = Counter()

    @property
    def info(self) -> EngineInfo:
        described = self._described
        kind = described.kind if described else None
        no_repeat = kind.no_repeat if kind else ""
        return EngineInfo(
            name="remote",
            model=described.model if described else self._config.model or "DeepSeek-OCR",
            device=f"server-{self._number}" + (f" ({kind.name})" if kind else ""),
            tasks=(*TASKS, "custom"),
            modes=kind.modes if kind else PREPARED,
            streams=True,
            max_concurrency=self._health.max_pages,
            supports_no_repeat=bool(
                no_repeat and (no_repeat != "sglang" or self._config.sglang_processor)
            ),
        )

    @property
    def unhealthy_reason(self) -> str:
        return self._health.unhealthy_reason

    def stats(self) -> EngineStats:
        return EngineStats(
            running=self._num_running,
            retries=self._num_retries,
            outcomes=dict(self._outcomes),
            ejections=self._health.num_ejections,
        )

    async def start(self) -> None:
        """Raises `EngineUnavailable` where the server does not answer or lacks the model."""
        if self._client is None:
            self._client = make_client(self.url, self._config)
        try:
            self._described = await describe(self._client, self._config)
        except ServerFailed as error:
            logger.warning("%s: %s", self.url, error)
            raise EngineUnavailable(f"Server {self._number} is not ready: {error}.") from error
        self._health.recover()
        logger.info("%s is %s with %s", self.url, self._described.kind.name, self._described.model)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())

    async def recognize(
        self,
        page: PageImage,
        options: OcrOptions,
        *,
        on_text: OnText | None = None,
        suspicion: Suspicion | None = None,
    ) -> PageResult:
        """Raises `WorkerLost` where another server may read the page; `RemoteFailed`,
        `ContextTooLong` and `EngineUnavailable`."""
        if self._client is None:
            await self.start()
        known = suspicion or Suspicion()
        await self._wait_for_room(known)
        began = time.monotonic()
        self._num_running += 1
        try:
            answer = await self._ask(page, options, on_text)
        except ServerFailed as error:
            raise self._lost(error, page, known) from error
        except DsocrError:
            self._outcomes["refused"] += 1
            raise
        except asyncio.CancelledError:
            self._outcomes["cancelled"] += 1
            raise
        finally:
            self._num_running -= 1
            self._wake_waiting()
        self._succeed()
        return _result(page, answer, time.monotonic() - began)

    async def close(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        self._health.close()
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _wait_for_room(self, suspicion: Suspicion) -> None:
        """Returns when the server is usable and may have one page more. Raises `WorkerLost` if it
        fails or gets busy meanwhile, and `EngineUnavailable` if it stays so."""
        if not await self._health.wait(self._config.wait_seconds):
            raise EngineUnavailable(self.unhealthy_reason)
        while self._num_running >= self._health.max_pages:
            await self._room.wait()
            if self.unhealthy_reason:
                raise WorkerLost(suspicion, BUSY, was_busy=True)

    def _wake_waiting(self) -> None:
        """The pages that wait for room look again."""
        self._room.set()
        self._room.clear()

    async def _ask(self, page: PageImage, options: OcrOptions, on_text: OnText | None) -> Answer:
        described = self._described
        kind = described.kind if described else KINDS["openai"]
        model = described.model if described else self._config.model
        picture = await asyncio.to_thread(picture_url, page, options, self._config.image_format)
        body = chat_body(kind, model, picture, options, self._config)
        deadline = time.monotonic() + self._config.page_seconds
        with tracing.span("ocr.remote", kind="client", dsocr__endpoint=self._number):
            return await self._stream(body, on_text, deadline)

    async def _stream(
        self, body: dict[str, Any], on_text: OnText | None, deadline: float
    ) -> Answer:
        async with self._response(body) as response:
            reader = AnswerReader(on_text)
            try:
                async for data in response.aiter_bytes():
                    reader.feed(data)
                    if time.monotonic() > deadline:
                        raise _too_long()
            except httpx.HTTPError:  # of a response that lacks its end, after a complete answer
                if not reader.is_complete:
                    raise
        return reader.finish()

    @asynccontextmanager
    async def _response(self, body: dict[str, Any]) -> AsyncIterator[httpx.Response]:
        """Leaving it closes the connection of an answer that is not read to its end, by which the
        server stops generating."""
        assert self._client is not None
        try:
            async with self._client.stream(
                "POST", "/v1/chat/completions", json=body, headers=tracing.outgoing_headers()
            ) as response:
                if response.status_code != 200:
                    text = await _error_text(response)
                    raise failure_of(response.status_code, response.headers, text)
                yield response
        except httpx.TimeoutException as error:
            raise ServerFailed("it does not answer in time", outcome="timeout") from error
        except (httpx.ConnectError, httpx.ReadError, httpx.WriteError) as error:
            raise ServerFailed("the connection was lost", outcome="lost") from error
        except httpx.HTTPError as error:
            raise ServerFailed("its answer ended early", by_page=True) from error

    def _succeed(self) -> None:
        self._num_answers += 1
        self._outcomes["ok"] += 1
        self._health.succeeded()
        self._wake_waiting()

    def _lost(self, error: ServerFailed, page: PageImage, suspicion: Suspicion) -> DsocrError:
        """Counts the failure; what the page's caller gets."""
        logger.warning("page %d at %s: %s", page.index, self.url, error)
        self._outcomes[error.outcome] += 1
        if error.rest_seconds is not None:
            self._health.rest(error.rest_seconds)
        else:
            self._health.fail(
                f"Server {self._number} of the model fails; the log says why.", final=error.final
            )
        num_failures = suspicion.num_crashes + error.by_page
        if num_failures >= MAX_PAGE_FAILURES:
            return RemoteFailed()
        self._num_retries += 1
        was_busy = error.rest_seconds is not None
        known = Suspicion(num_crashes=num_failures)
        return WorkerLost(known, BUSY if was_busy else LOST, was_busy=was_busy)

    async def _watch(self) -> None:
        """Health checks: of an ejected server, and of one that has answered no page meanwhile."""
        while True:
            num_answers = self._num_answers
            await asyncio.sleep(self._config.probe_seconds)
            if self._health.ejected_reason or num_answers == self._num_answers:
                await self._probe(num_answers)

    async def _probe(self, num_answers: int) -> None:
        assert self._client is not None
        try:
            self._described = await describe(self._client, self._config)
        except ServerFailed as error:
            if num_answers == self._num_answers:  # a server that answers pages is alive
                self._health.fail(f"Server {self._number} is not ready: {error}.")
        else:
            if self._health.ejected_reason:
                logger.warning("%s answers again", self.url)
            self._health.recover()


def make_client(url: str, config: RemoteConfig) -> httpx.AsyncClient:
    """Without redirects and without proxies of the environment: pages and the key go to no other
    host than the one in the settings."""
    headers = {"User-Agent": f"dsocr/{__version__}"}
    if config.api_key:
        headers["Authorization"] = f"Bearer {config.api_key}"
    cafile = str(config.ca_file) if config.ca_file else None
    return httpx.AsyncClient(
        base_url=url,
        headers=headers,
        verify=ssl.create_default_context(cafile=cafile),
        timeout=httpx.Timeout(
            config.silence_seconds, connect=config.connect_seconds, pool=config.page_seconds
        ),
        limits=httpx.Limits(
            max_connections=None,
            max_keepalive_connections=config.max_concurrency,
            keepalive_expiry=KEEPALIVE_SECONDS,
        ),
        trust_env=False,
        follow_redirects=False,
    )


def _too_long() -> ServerFailed:
    return ServerFailed("the page took too long", by_page=True, outcome="timeout")


async def _error_text(response: httpx.Response) -> str:
    data = b""
    async for piece in response.aiter_bytes():
        data += piece
        if len(data) > MAX_ERROR_BYTES:
            break
    return data[:MAX_ERROR_BYTES].decode("utf-8", "replace")


def _result(page: PageImage, answer: Answer, seconds: float) -> PageResult:
    assert answer.finish_reason is not None
    return page_result(
        page,
        raw=answer.raw,
        finish_reason=answer.finish_reason,
        logprobs=answer.logprobs,
        text_ends=answer.text_ends,
        usage=Usage(
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens or len(answer.logprobs),
            seconds=seconds,
        ),
    )
