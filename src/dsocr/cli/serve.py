"""`dsocr serve`: the HTTP service. Its libraries are imported only when it runs."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from typing import Annotated

import typer

from dsocr import logs, tracing
from dsocr.cli.options import EngineOption
from dsocr.config import Settings
from dsocr.engines.selection import select_engine
from dsocr.process.child import ChildDied


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
    logging.getLogger().setLevel(logging.INFO)
    settings = Settings.from_environment()
    settings = dataclasses.replace(settings, engine=engine or settings.engine)
    logs.configure(settings.log_format)
    if settings.traces_url:
        tracing.start(settings.traces_url)
    _start_engine_process(settings)
    from dsocr.server.serve import run

    try:
        run(settings, host, port)
    finally:
        tracing.stop()


def _start_engine_process(settings: Settings) -> None:
    """Starts the native engine's process, which takes seconds, before the service is imported."""
    host = settings.host_config()
    if select_engine(host.engine, host.model_path).name != "native":
        return
    from dsocr.engines.deepseek.native import start_process_early

    with contextlib.suppress(ChildDied):  # it is started again with the engine
        start_process_early(host.engine_configs["native"])
