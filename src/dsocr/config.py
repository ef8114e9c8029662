"""Every setting in one place: the rooms' own configs, filled from the environment.

The only module that reads the environment. Each setting is one variable: the names that were
promised once are in `PROMISED`, all others are `DEEPSEEK_OCR_<ROOM>__<FIELD>`.
"""

from __future__ import annotations

import dataclasses
import difflib
import logging
import os
import tempfile
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt
from pydantic import TypeAdapter, ValidationError

from dsocr.engines.deepseek.prompts import DEFAULT_PROMPT
from dsocr.engines.ppocr.config import EmbeddedConfig
from dsocr.engines.registry import ENGINES, canonical_name
from dsocr.errors import DsocrError
from dsocr.host import HostConfig
from dsocr.jobs.config import JobsConfig
from dsocr.options import OptionLimits, parse_no_repeat
from dsocr.pages.config import PagesConfig
from dsocr.runtime.config import RuntimeConfig
from dsocr.types import NoRepeat

logger = logging.getLogger(__name__)

MIB = 1 << 20

PROMISED = {
    ("", "engine"): "DEEPSEEK_OCR_ENGINE",
    ("", "default_prompt"): "DEEPSEEK_OCR_DEFAULT_PROMPT",
    ("", "runs_dir"): "DEEPSEEK_OCR_RUNS_DIR",
    ("", "no_repeat_ngram"): "DEEPSEEK_OCR_NO_REPEAT_NGRAM",
    ("", "retry"): "DEEPSEEK_OCR_RETRY",
    ("runtime", "model_path"): "DEEPSEEK_OCR_MODEL_PATH",
    ("runtime", "attn_impl"): "DEEPSEEK_ATTN_IMPL",
    ("runtime", "device"): "DEEPSEEK_OCR_DEVICE",
    ("runtime", "dtype"): "DEEPSEEK_OCR_DTYPE",
    ("runtime", "max_tiles"): "DEEPSEEK_OCR_MAX_TILES",
    ("server", "max_image_mb"): "DEEPSEEK_MAX_IMAGE_MB",
    ("server", "allowed_origins"): "DEEPSEEK_ALLOWED_ORIGINS",
    ("server", "api_keys"): "DEEPSEEK_OCR_API_KEYS",
    ("jobs", "database_url"): "DEEPSEEK_OCR_DATABASE_URL",
}


class BadSetting(DsocrError):
    """A setting has a value that makes no sense."""

    code = "bad_setting"


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What the HTTP service allows, and how long it waits."""

    api_keys: tuple[str, ...] = field(default=(), repr=False)
    """Keys that may use the service, comma separated; empty: open to everyone who can reach it."""
    allowed_origins: tuple[str, ...] = ("*",)
    """Web pages that may call it (CORS), comma separated. With an explicit list, requests that
    change something and come from any other page are refused."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names it answers to, comma separated, `*.example.org` for a domain; empty: any."""
    max_image_mb: Annotated[float, Gt(0)] = 15
    """Largest upload to `/api/ocr` in MiB."""
    max_pages: Annotated[int, Gt(0)] = 100
    """Most pages that `/api/ocr` reads of one document."""
    max_prompt_bytes: Annotated[int, Gt(0)] = 20_000
    """Longest prompt in bytes of UTF-8."""
    max_output_tokens: Annotated[int, Gt(0)] = 8192
    """Most tokens that `max_tokens` may ask for."""
    max_form_fields: Annotated[int, Gt(0)] = 64
    """Most fields in one form."""
    max_header_bytes: Annotated[int, Gt(0)] = 32_768
    """Longest request line and headers together."""
    max_connections: Annotated[int, Gt(0)] = 1000
    """Most open connections; one more is told to come back."""
    max_requests: Annotated[int, Gt(0)] = 64
    """Most documents taken in at once, being read or waiting; one more is told to come back."""
    max_queue_mb: Annotated[float, Gt(0)] = 512
    """Most MiB of uploads held at once, announced ones included."""
    queue_seconds: Annotated[float, Gt(0)] = 30
    """A document whose first page has not begun by then is given back unread (429)."""
    start_wait_seconds: Annotated[float, Ge(0)] = 10
    """How long a request waits for an engine that is still starting."""
    header_seconds: Annotated[float, Gt(0)] = 15
    """A connection must bring its whole request head within this time."""
    body_window_seconds: Annotated[float, Gt(0)] = 12
    """Each window of this length must bring part of the body, see `body_bytes_per_second`."""
    body_bytes_per_second: Annotated[int, Ge(0)] = 8000
    """Slowest upload that is still waited for."""
    heartbeat_seconds: Annotated[float, Gt(0)] = 10
    """Silence on an event stream after which a comment is sent, to keep proxies from closing it."""
    drain_seconds: Annotated[float, Ge(0)] = 25
    """How long running requests may go on after the service was told to stop."""
    page_dir: Path | None = None
    """Folder of the built web page; unset: `frontend/dist` of a clone, where it was built."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, ready to be handed to the rooms."""

    engine: str = "auto"
    """Who reads: `auto`, or the name of an engine."""
    default_prompt: str = DEFAULT_PROMPT
    """The prompt of a request that brings none. `\\n` stands for a line break."""
    runs_dir: Path = field(default_factory=lambda: _near_backend("runs"))
    """Where uploads and outputs lie."""
    no_repeat_ngram: NoRepeat | None = NoRepeat(30, 90)
    """Guard against repetition: `n/window` over generated tokens with `<td>` and `</td>` exempt,
    `n` over the whole sequence with nothing exempt, `off`."""
    retry: bool = True
    """Pages that loop or end too early are read again in other ways, and the best answer is kept;
    `off` gives one plain pass."""
    pages: PagesConfig = field(default_factory=PagesConfig)
    embedded: EmbeddedConfig = field(default_factory=EmbeddedConfig)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
    server: ServerConfig = field(default_factory=ServerConfig)
    jobs: JobsConfig = field(default_factory=JobsConfig)

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
        """Raises `BadSetting`, naming the variable. Relative paths: see `paths_start_at`."""
        given = os.environ if environment is None else environment
        _warn_of_unknown(given)
        values: dict[str, dict[str, Any]] = {}
        for variable in variables():
            room = values.setdefault(variable.room, {})
            if variable.name in given and given[variable.name].strip():
                room[variable.field] = _convert(variable, given[variable.name])
        values["runtime"].setdefault("model_path", default_model_path())
        rooms = {room: _rooms()[room](**values[room]) for room in values if room}
        return Settings(**values[""], **rooms)

    def option_limits(self) -> OptionLimits:
        """Defaults and limits of a request's options."""
        return OptionLimits(
            default_prompt=self.default_prompt,
            no_repeat_ngram=self.no_repeat_ngram,
            max_prompt_bytes=self.server.max_prompt_bytes,
            max_output_tokens=self.server.max_output_tokens,
        )

    def host_config(self) -> HostConfig:
        """What the engine host needs of the settings."""
        return HostConfig(
            engine=self.engine,
            engine_configs={"native": self.runtime, "ppocr": self.embedded},
            model_path=self.runtime.model_path,
            pages=self.pages,
            retry=self.retry,
        )


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting as the environment knows it."""

    name: str
    room: str
    field: str
    type: Any
    default: Any


def variables() -> Iterator[Variable]:
    """Every setting there is, general ones first."""
    configs: dict[str, Any] = {"": Settings, **_rooms()}
    for room, config in configs.items():
        types = typing.get_type_hints(config, include_extras=True)
        for item in dataclasses.fields(config):
            if item.name not in _rooms():
                name = PROMISED.get((room, item.name), f"DEEPSEEK_OCR_{room}__{item.name}".upper())
                yield Variable(name, room, item.name, types[item.name], item.default)


def check_runs_dir(runs: Path) -> None:
    """Raises `BadSetting` where the service could not keep its jobs. Makes nothing that stays.

    By trying: what a folder's permissions say is not all (root, /proc, a disk that is read-only).
    """
    jobs = runs / "jobs"
    there = next(folder for folder in (jobs, *jobs.parents) if os.path.exists(folder))
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        name = PROMISED["", "runs_dir"]
        why = f"nothing can be written in {there} ({error.strerror or error})"
        raise BadSetting(f"{name}: {runs} cannot be used: {why}.") from error


def clone() -> Path | None:
    """The checkout this package runs from, or None for an installed wheel."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "web_project" / "backend").is_dir() else None


def paths_start_at() -> Path:
    """Relative paths are seen from `web_project/backend` of a clone, else from where one stands."""
    root = clone()
    return root / "web_project" / "backend" if root else Path.cwd()


def default_model_path() -> Path:
    return (clone() or Path.cwd()) / "ocr_project" / "model"


def _near_backend(name: str) -> Path:
    return paths_start_at() / name


def _rooms() -> dict[str, type[Any]]:
    return {
        "pages": PagesConfig,
        "embedded": EmbeddedConfig,
        "runtime": RuntimeConfig,
        "server": ServerConfig,
        "jobs": JobsConfig,
    }


def _convert(variable: Variable, text: str) -> Any:
    try:
        if variable.field == "no_repeat_ngram":
            return parse_no_repeat(text)
        if variable.field == "engine" and canonical_name(text) not in ("auto", *ENGINES):
            raise ValueError(f"choose one of auto, {', '.join(ENGINES)}")
        if variable.field == "database_url" and not text.startswith("sqlite:///"):
            raise ValueError("jobs are kept in SQLite: say sqlite:///path")
        if variable.field == "default_prompt":
            return text.replace("\\n", "\n")
        if typing.get_origin(variable.type) is tuple:
            return tuple(part for part in (piece.strip() for piece in text.split(",")) if part)
        value = TypeAdapter(variable.type).validate_python(text.strip())
        if isinstance(value, (int, float)) and value < 0:
            raise ValueError("it must not be negative")
    except ValidationError as error:
        raise BadSetting(f"{variable.name}: {error.errors()[0]['msg']}") from error
    except ValueError as error:
        raise BadSetting(f"{variable.name}: {error}") from error
    if isinstance(value, Path):
        return Path(os.path.normpath(paths_start_at() / value.expanduser()))
    return value


def _warn_of_unknown(given: Mapping[str, str]) -> None:
    """A mistyped name would otherwise do nothing in silence. Other products use DEEPSEEK_ too."""
    known = [variable.name for variable in variables()]
    for name in sorted(set(given) - set(known)):
        if not name.startswith("DEEPSEEK_"):
            continue
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.88)
        if close:
            logger.warning("%s is not a setting and does nothing; did you mean %s?", name, close[0])
        elif name.startswith("DEEPSEEK_OCR_"):
            logger.warning("%s is not a setting of this version and does nothing", name)
