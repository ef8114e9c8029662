"""Settings of the engine `remote`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le

ServerName = Literal["auto", "vllm", "sglang", "llamacpp", "ollama", "dsocr", "openai"]
ImageFormat = Literal["jpeg", "png"]


@dataclass(frozen=True, slots=True)
class RemoteConfig:
    """Which servers read the pages, and how long they may take."""

    urls: tuple[str, ...] = ()
    """Servers of the model, comma separated, such as `http://gpu1:8000/v1,http://gpu2:8000/v1`. All
    should serve the same model."""
    model: str = ""
    """Name of the model in requests; empty: the only one that a server lists, or the only one with
    `ocr` in its name."""
    api_key: str | None = field(default=None, repr=False)
    """Key that is sent to every server, as `Authorization: Bearer`."""
    kind: ServerName = "auto"
    """What the servers are. auto: as their list of models says; openai: none of the others."""
    max_concurrency: Annotated[int, Gt(0)] = 32
    """Most pages in flight at one server. It begins with 4 and gets more as it answers."""
    image_format: ImageFormat = "jpeg"
    """How pages are sent: jpeg (quality 95) or png (without loss, more bytes and time)."""
    sglang_processor: str = field(default="", repr=False)
    """For SGLang: `DeepseekOCRNoRepeatNGramLogitProcessor.to_str()`, by which its servers apply the
    no-repeat rule."""
    ca_file: Path | None = None
    """Certificates that servers with https are checked with; unset: those of the system."""
    connect_seconds: Annotated[float, Gt(0)] = 5
    """Time limit for a connection, and for the answer to a health check."""
    silence_seconds: Annotated[float, Gt(0)] = 120
    """A page that gets no token for this long is read by another server."""
    page_seconds: Annotated[float, Gt(0)] = 600
    """Time limit for a page at one server."""
    wait_seconds: Annotated[float, Ge(0)] = 60
    """How long a page waits while no server answers."""
    probe_seconds: Annotated[float, Gt(0)] = 5
    """Interval of health checks."""
    eject_failures: Annotated[int, Gt(0)] = 3
    """After so many failures in a row a server gets no pages until a health check succeeds."""
    retry_share: Annotated[float, Ge(0), Le(1)] = 0.15
    """Retries for each page, on average: more would add load to servers that fail from load."""


def parse_urls(text: str) -> tuple[str, ...]:
    """The base of each server, without `/v1`. Raises `ValueError`."""
    return tuple(_base_url(part.strip()) for part in text.split(",") if part.strip())


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{text[:80]!r} is no URL; write http://host:port/v1")
    if parts.username or parts.password:
        raise ValueError("a URL must not have a password; use DEEPSEEK_OCR_REMOTE_API_KEY")
    if parts.query or parts.fragment:
        raise ValueError(f"{text[:80]!r} must end with its path, such as /v1")
    return text.rstrip("/").removesuffix("/v1")
