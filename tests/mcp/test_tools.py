"""The tools through the SDK's own client: over HTTP at `/mcp`, and over standard input."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from dsocr.mcp.service import TIMEOUT, Service, ServiceFailed
from tests.fakes import pdf, png
from tests.mcp.conftest import KEYS, McpService

TABLE = "<table><td>A<td>B<tr><td colspan=2>W"
PAGES = [["Heading one", "body text about wax"], ["page two"], [f"@html={TABLE}"]]


def data_url(content: bytes, media_type: str = "application/pdf") -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


@asynccontextmanager
async def http_client(service: McpService, key: str = KEYS[0]) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(headers=headers, timeout=TIMEOUT) as http:
        transport = streamable_http_client(f"{service.url}/mcp", http_client=http)
        async with Client(transport) as client:
            yield client


async def called(client: Client, tool: str, **arguments: Any) -> Any:
    """The structured result of a tool that must not fail."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return str(result.content[0].text)


async def test_document_is_read_page_by_page_within_the_budget(service: McpService) -> None:
    seen: list[tuple[float, float | None]] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        seen.append((done, total))

    async with http_client(service) as client:
        source = data_url(pdf(PAGES))
        result = await client.call_tool(
            "read_document", {"source": source, "boxes": True}, progress_callback=on_progress
        )
        found = result.structured_content
        assert found is not None
        assert [page["text"] for page in found["pages"][:2]] == [
            "Heading one\n\nbody text about wax",
            "page two",
        ]
        assert found["status"] == "succeeded" and found["next_cursor"] is None
        block = found["pages"][0]["blocks"][0]
        assert block["text"] == "Heading one"
        assert all(0 <= side <= 1 for side in block["boxes"][0])
        assert seen[-1] == (3, 3)
        assert "body text about wax" in result.content[0].text
        again = await called(client, "read_document", document_id=found["document_id"], pages="2")
        assert [page["page"] for page in again["pages"]] == [2]


async def test_long_document_is_read_on_with_the_cursor(service: McpService) -> None:
    words = [f"word{number}" for number in range(300)]
    lines = [" ".join(words[start : start + 10]) for start in range(0, 300, 10)]
    async with http_client(service) as client:
        source = data_url(png(lines, size=(200, 200)), "image/png")
        part = await called(client, "read_document", source=source, max_tokens=200)
        texts = [part["pages"][0]["text"]]
        while part["next_cursor"]:
            assert part["note"].startswith("The budget")
            part = await called(
                client,
                "read_document",
                document_id=part["document_id"],
                cursor=part["next_cursor"],
                max_tokens=200,
            )
            texts += [page["text"] for page in part["pages"]]
    assert len(texts) > 2
    assert "".join(texts).split() == words


async def test_words_tables_and_pages_are_found(service: McpService) -> None:
    async with http_client(service) as client:
        read = await called(client, "read_document", source=data_url(pdf(PAGES)), pages="1,3")
        name = read["document_id"]
        assert [page["file_page"] for page in read["pages"]] == [1, 3]
        hits = await called(client, "search_document", document_id=name, query="TEXT  about")
        assert [hit["page"] for hit in hits["hits"]] == [1]
        assert hits["hits"][0]["snippet"] == "body text about wax"
        assert len(hits["hits"][0]["boxes"][0]) == 4
        tables = await called(client, "get_tables", document_id=name)
        assert tables["tables"][0]["rows"] == [["A", "B"], ["W", ""]]
        assert tables["tables"][0]["page"] == 2


async def test_result_is_a_resource(service: McpService) -> None:
    async with http_client(service) as client:
        read = await called(client, "read_document", source=data_url(pdf(PAGES)))
        base = f"dsocr://documents/{read['document_id']}"
        [whole] = (await client.read_resource(f"{base}/markdown")).contents
        assert "Heading one" in whole.text
        [page] = (await client.read_resource(f"{base}/pages/2")).contents
        assert json.loads(page.text)["text"] == "page two"
        [image] = (await client.read_resource(f"{base}/pages/1/image")).contents
        assert base64.b64decode(image.blob)[:2] == b"\xff\xd8"
        with pytest.raises(MCPError, match="numbered from 1"):
            await client.read_resource(f"{base}/pages/0")
        with pytest.raises(MCPError, match="choose one of"):
            await client.read_resource(f"{base}/exe")


async def test_jobs_are_listed_and_watched_and_belong_to_their_key(service: McpService) -> None:
    async with http_client(service) as client, http_client(service, KEYS[1]) as other:
        source = data_url(pdf([["@hang"]]))
        started = await called(client, "read_document", source=source, wait_seconds=0)
        name = started["document_id"]
        assert started["pages"] == [] and started["next_cursor"] == "1:0"
        assert "watch_job" in started["note"]
        state = await called(client, "watch_job", document_id=name, wait_seconds=0)
        assert state["status"] in ("queued", "running")
        listed = await called(client, "list_jobs")
        assert name in [job["document_id"] for job in listed["jobs"]]
        assert (await called(other, "list_jobs"))["jobs"] == []
        assert "no such job" in await refusal(other, "watch_job", document_id=name)
        cancelled = await called(client, "cancel_job", document_id=name)
        assert cancelled["status"] == "cancelled"


async def test_mistakes_are_said_to_the_model(service: McpService) -> None:
    async with http_client(service) as client:
        assert "either" in await refusal(client, "read_document")
        assert "base64" in await refusal(client, "read_document", source="data:;base64,!")
        assert "none of PNG" in await refusal(
            client, "read_document", source="data:text/plain,words"
        )
        assert "not the id" in await refusal(client, "watch_job", document_id="../x")
        assert "only files below" in await refusal(client, "read_document", source="/etc/passwd")
        assert "only files below" in await refusal(
            client, "read_document", source="file:///etc/passwd"
        )
        assert "no such file" in await refusal(client, "read_document", source="missing.pdf")


async def test_call_that_is_cancelled_cancels_its_job(service: McpService) -> None:
    import anyio

    async with http_client(service) as client:
        with anyio.move_on_after(1.0):
            await client.call_tool("read_document", {"source": data_url(pdf([["@hang"], ["x"]]))})
        with anyio.fail_after(60):
            while (await called(client, "list_jobs", status="running"))["jobs"]:
                await anyio.sleep(0.05)
    assert service.engine.running == 0


async def test_command_reads_files_over_standard_input(service: McpService, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf(PAGES))
    command = ["-m", "dsocr", "mcp", "--url", service.url, "--root", str(tmp_path)]
    parameters = StdioServerParameters(
        command=sys.executable, args=command, env={"DSOCR_KEY": KEYS[0]}
    )
    async with Client(stdio_client(parameters)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert str(tmp_path) in (tools["read_document"].description or "")
        found = await called(client, "read_document", source="a.pdf", pages="2")
        assert found["pages"][0]["text"] == "page two"
        assert "only files below" in await refusal(client, "read_document", source="/etc/passwd")


async def test_page_of_the_service_that_is_gone_is_said() -> None:
    async with httpx.AsyncClient(base_url="http://127.0.0.1:9") as http:
        with pytest.raises(Exception, match="no answer from http://127.0.0.1:9"):
            await Service(http).job("0123456789abcdef")


async def test_document_of_a_url_is_fetched_by_the_service(
    service: McpService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(url: str, path: Path, config: Any) -> str:
        assert url == "https://files.example/a.pdf"
        path.write_bytes(pdf(PAGES))
        return "a.pdf"

    monkeypatch.setattr("dsocr.server.contracts.body.fetch", fetch)
    async with http_client(service) as client:
        url = "https://files.example/a.pdf"
        read = await called(client, "read_document", source=url, pages="2")
        assert [page["text"] for page in read["pages"]] == ["page two"]
        refused = await refusal(client, "read_document", source="file:///etc/passwd")
        assert "configured folder" in refused


async def test_full_queue_says_how_long_to_wait() -> None:
    body = {"error": {"code": "queue_full", "message": "Too many requests are waiting."}}
    busy = httpx.MockTransport(
        lambda request: httpx.Response(429, json=body, headers={"Retry-After": "7"})
    )
    async with httpx.AsyncClient(transport=busy, base_url="http://service") as http:
        with pytest.raises(ServiceFailed, match=r"waiting\. Wait 7 seconds"):
            await Service(http).job("a" * 32)
