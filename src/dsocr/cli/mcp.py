"""`dsocr mcp`: the tools for an assistant, over standard input and output."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib.util
import logging
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsocr.cli.options import EngineOption
from dsocr.config import Settings, check_runs_dir
from dsocr.errors import BadRequest, DsocrError

if TYPE_CHECKING:
    from dsocr.mcp.service import Service


class McpMissing(DsocrError):
    """`dsocr mcp` needs the package mcp: pip install 'dsocr[mcp]'."""

    code = "mcp_off"


def mcp(
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            envvar="DSOCR_URL",
            show_envvar=False,
            help="URL of a running service that reads the documents.",
            show_default="DSOCR_URL, else an engine in this process",
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="KEY",
            envvar="DSOCR_KEY",
            show_envvar=False,
            help="API key of that service. Prefer the variable.",
            show_default="DSOCR_KEY",
        ),
    ] = None,
    root: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Only read files below this folder. Can be repeated.",
            show_default="any file that this process may read",
        ),
    ] = None,
    engine: EngineOption = None,
) -> None:
    """Serve the tools of the Model Context Protocol over standard input and output.

    An assistant starts the command and reads, searches and watches documents with it. Without
    `--url` the engine runs in this process; results then last as long as it does, unless
    DEEPSEEK_OCR_RUNS_DIR is set.
    """
    if importlib.util.find_spec("mcp") is None:
        raise McpMissing()
    for folder in root or ():
        if not folder.is_dir():
            raise typer.BadParameter(f"--root {folder}: there is no such folder.")
    logging.getLogger().setLevel(logging.WARNING)
    asyncio.run(_serve(url, key, root or [], engine))


async def _serve(url: str | None, key: str | None, roots: list[Path], engine: str | None) -> None:
    from dsocr.mcp.server import create_server
    from dsocr.mcp.sources import allowed_paths

    opened = _remote(url, key) if url else _embedded(engine)
    async with opened as service:
        server = create_server(lambda request: service, allowed_paths(roots, any_path=True))
        await server.run_stdio_async()


@contextlib.asynccontextmanager
async def _remote(url: str, key: str | None) -> AsyncIterator[Service]:
    import httpx2 as httpx

    from dsocr.mcp.service import TIMEOUT, Service

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        http = httpx.AsyncClient(base_url=url.rstrip("/"), timeout=TIMEOUT)
    except (httpx.InvalidURL, ValueError) as error:
        raise BadRequest(f"{url} is not the URL of a service.") from error
    async with http:
        yield Service(http, headers)


@contextlib.asynccontextmanager
async def _embedded(engine: str | None) -> AsyncIterator[Service]:
    """The whole service in this process, without a socket."""
    import httpx2 as httpx

    from dsocr.mcp.service import TIMEOUT, Service
    from dsocr.server.app import create_app

    settings = Settings.from_environment()
    with tempfile.TemporaryDirectory(prefix="dsocr-") as folder:
        server = dataclasses.replace(
            settings.server,
            api_keys=(),
            keys_file=Path(folder, "keys.json"),
            allowed_hosts=(),
            contracts=("none",),
        )
        settings = dataclasses.replace(settings, engine=engine or settings.engine, server=server)
        if settings.runs_dir == Settings().runs_dir:
            settings = dataclasses.replace(settings, runs_dir=Path(folder))
        check_runs_dir(settings.runs_dir)
        app = create_app(settings)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=transport, base_url="http://localhost", timeout=TIMEOUT
            ) as http,
        ):
            yield Service(http)
