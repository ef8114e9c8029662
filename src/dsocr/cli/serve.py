"""`dsocr serve`: the HTTP service. Its libraries are loaded only when it is asked for."""

from __future__ import annotations

import dataclasses
import logging
from typing import Annotated

import typer

from dsocr.cli.options import EngineOption
from dsocr.config import Settings


def serve(
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. 0.0.0.0 lets other machines in: then set "
            "DEEPSEEK_OCR_API_KEYS."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    engine: EngineOption = None,
) -> None:
    """Run the HTTP service: the API, and the web page where it was built.

    Everything else is set by environment variables. Ctrl-C lets running requests finish; a second
    one ends at once.
    """
    from dsocr.server.serve import run

    logging.getLogger().setLevel(logging.INFO)
    settings = Settings.from_environment()
    run(dataclasses.replace(settings, engine=engine or settings.engine), host, port)
