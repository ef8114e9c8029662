"""`dsocr serve`: the HTTP service. Its libraries are imported only when it runs."""

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
            help="Address to listen on. 0.0.0.0 accepts other machines: set DEEPSEEK_OCR_API_KEYS "
            "then."
        ),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 chooses a free one.")] = 8000,
    engine: EngineOption = None,
) -> None:
    """Run the HTTP service: the API, and the web page if it was built.

    Other settings are environment variables. Ctrl-C finishes the running requests; a second one
    ends at once.
    """
    from dsocr.server.serve import run

    logging.getLogger().setLevel(logging.INFO)
    settings = Settings.from_environment()
    run(dataclasses.replace(settings, engine=engine or settings.engine), host, port)
