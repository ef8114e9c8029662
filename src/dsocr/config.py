"""All settings: the config dataclasses of the packages, filled from environment variables.

The only module that reads the environment. Each setting is one variable, named
`DEEPSEEK_OCR_<SECTION>__<FIELD>` or as in `FIXED_NAMES`.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import logging
import os
import tempfile
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt
from pydantic import TypeAdapter, ValidationError

from dsocr.engines.deepseek.prompts import DEFAULT_PROMPT
from dsocr.engines.deepseek.remote.config import RemoteConfig, parse_urls
from dsocr.engines.ppocr.config import PpocrConfig
from dsocr.engines.ppocr.scripts.languages import parse_languages
from dsocr.engines.ray.config import RayConfig, RayEngineConfig
from dsocr.engines.registry import ENGINES, canonical_name
from dsocr.errors import DsocrError
from dsocr.host import HostConfig
from dsocr.jobs.config import JobsConfig
from dsocr.jobs.files.storage import is_cloud_url
from dsocr.logs import LogFormat
from dsocr.model_hosts import ModelsConfig, NamedModel, models_config, parse_models
from dsocr.options import OptionLimits, parse_no_repeat
from dsocr.pages.config import PagesConfig
from dsocr.process.capacity import Auto
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.device_list import parse_devices
from dsocr.types import NoRepeat

logger = logging.getLogger(__name__)

MIB = 1 << 20

DATABASE_SCHEMES = ("sqlite:///", "postgresql+psycopg://")

FIXED_NAMES = {
    ("", "engine"): "DEEPSEEK_OCR_ENGINE",
    ("", "log_format"): "DEEPSEEK_OCR_LOG_FORMAT",
    ("", "traces_url"): "DEEPSEEK_OCR_TRACES_URL",
    ("", "default_prompt"): "DEEPSEEK_OCR_DEFAULT_PROMPT",
    ("", "runs_dir"): "DEEPSEEK_OCR_RUNS_DIR",
    ("", "no_repeat_ngram"): "DEEPSEEK_OCR_NO_REPEAT_NGRAM",
    ("", "retry"): "DEEPSEEK_OCR_RETRY",
    ("", "languages"): "DEEPSEEK_OCR_LANGUAGES",
    ("", "models"): "DEEPSEEK_OCR_MODELS",
    ("", "model_idle_seconds"): "DEEPSEEK_OCR_MODEL_IDLE_SECONDS",
    ("runtime", "model_path"): "DEEPSEEK_OCR_MODEL_PATH",
    ("runtime", "attn_impl"): "DEEPSEEK_ATTN_IMPL",
    ("runtime", "device"): "DEEPSEEK_OCR_DEVICE",
    ("runtime", "dtype"): "DEEPSEEK_OCR_DTYPE",
    ("runtime", "drafts"): "DEEPSEEK_OCR_DRAFTS",
    ("runtime", "max_tiles"): "DEEPSEEK_OCR_MAX_TILES",
    ("runtime", "kernel_cache"): "DEEPSEEK_OCR_KERNEL_CACHE",
    ("remote", "urls"): "DEEPSEEK_OCR_REMOTE_URLS",
    ("remote", "model"): "DEEPSEEK_OCR_REMOTE_MODEL",
    ("remote", "api_key"): "DEEPSEEK_OCR_REMOTE_API_KEY",
    ("server", "max_image_mb"): "DEEPSEEK_MAX_IMAGE_MB",
    ("server", "allowed_origins"): "DEEPSEEK_ALLOWED_ORIGINS",
    ("server", "api_keys"): "DEEPSEEK_OCR_API_KEYS",
    ("server", "keys_file"): "DEEPSEEK_OCR_KEYS_FILE",
    ("server", "contracts"): "DEEPSEEK_OCR_CONTRACTS",
    ("jobs", "database_url"): "DEEPSEEK_OCR_DATABASE_URL",
    ("jobs", "storage_url"): "DEEPSEEK_OCR_STORAGE_URL",
}
"""Section and field -> variable, for names that do not follow the rule."""


class BadSetting(DsocrError):
    """A setting has an invalid value."""

    code = "bad_setting"


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Limits and timeouts of the HTTP service."""

    api_keys: tuple[str, ...] = field(default=(), repr=False)
    """Accepted keys, comma separated; empty: open to everyone who can reach the service."""
    keys_file: Path | None = None
    """File of the hashes of further keys, which `dsocr keys` adds and revokes while the service
    runs; unset: `keys.json` in the runs folder. Where it exists, the service is not open."""
    allowed_origins: tuple[str, ...] = ("*",)
    """Origins of web pages that may call it (CORS), comma separated. With a list, requests of other
    pages that change something are refused."""
    allowed_hosts: tuple[str, ...] = ()
    """Accepted host names, comma separated, `*.example.org` for a domain; empty: any."""
    contracts: tuple[str, ...] = ("all",)
    """The foreign APIs that the service answers, comma separated: `all`, `none`, or names as in
    integrations.md."""
    mcp_root: Path | None = None
    """Folder whose files the tools of `/mcp` may read by their paths; unset: none."""
    url_hosts: tuple[str, ...] = ()
    """Hosts from which documents are fetched that a request names by an https URL, comma separated,
    `*.example.org` for a domain, `*` for any; empty: no URL is fetched."""
    url_private: bool = False
    """Whether documents are fetched from addresses of private networks."""
    url_mb: Annotated[float, Gt(0)] = 20
    """Largest document of a URL in MiB."""
    url_seconds: Annotated[float, Gt(0)] = 10
    """Longest time for fetching a document."""
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
    max_connections: Annotated[
        Annotated[int, Gt(0)] | None,
        Auto("twice `max_requests`, at least 1000; at most half of the open files allowed"),
    ] = None
    """Most open connections; further ones are answered with 503."""
    max_requests: Annotated[
        Annotated[int, Gt(0)] | None,
        Auto("3 times the pages that the engine takes at once, as memory allows; at least 64"),
    ] = None
    """Most documents admitted at once, running or waiting; further ones are answered with 429."""
    max_queue_mb: Annotated[
        Annotated[float, Gt(0)] | None,
        Auto("8 for each of `max_requests`, at most 1/16 of the memory; at least 512"),
    ] = None
    """Most MiB of admitted uploads, counted by their Content-Length."""
    queue_seconds: Annotated[float, Gt(0)] = 30
    """A document whose first page is not begun by then is refused (429)."""
    start_wait_seconds: Annotated[float, Ge(0)] = 10
    """How long a request waits for an engine that is still starting."""
    header_seconds: Annotated[float, Gt(0)] = 15
    """Timeout for the head of a request."""
    body_window_seconds: Annotated[float, Gt(0)] = 12
    """Length of the window over which `body_bytes_per_second` is measured."""
    body_bytes_per_second: Annotated[int, Ge(0)] = 8000
    """Slowest accepted upload; a slower one is answered with 408."""
    heartbeat_seconds: Annotated[float, Gt(0)] = 10
    """Interval of comments on an idle event stream, which keep proxies from closing it."""
    drain_seconds: Annotated[float, Ge(0)] = 25
    """Time for running requests to finish when the service is stopped."""
    page_dir: Path | None = None
    """Folder of the built web page; unset: `frontend/dist` of a checkout, if it was built."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. Each section is the config of one package."""

    engine: str = "auto"
    """The engine: `auto`, or the name of an engine."""
    default_prompt: str = DEFAULT_PROMPT
    """The prompt of requests without one. `\\n` is a line break."""
    runs_dir: Path = field(default_factory=lambda: base_folder() / "runs")
    """Folder of uploads and jobs."""
    no_repeat_ngram: NoRepeat | None = NoRepeat(30, 90)
    """No-repeat rule: `n/window` over the generated tokens except `<td>` and `</td>`, `n` over the
    whole sequence without exceptions, or `off`."""
    retry: bool = True
    """Whether pages that loop or end too early are read again in other ways and the best result is
    kept; `off` reads each page once."""
    languages: tuple[str, ...] = ()
    """Languages of requests that name none, such as `ko,en`; empty: the embedded engine finds them
    on each page."""
    models: tuple[NamedModel, ...] = ()
    """Models that requests choose by name: `name=folder`, comma separated; `name=folder@cuda:1`, or
    `@cuda:0+cuda:1`, with devices of its own. The first is the default and starts at once, the
    others and the embedded engine with their first page. Empty: one engine."""
    model_idle_seconds: Annotated[float, Ge(0)] = 0
    """After so long without pages a model that is not the default is unloaded until its next page;
    0: it stays loaded."""
    log_format: LogFormat = "text"
    """The log of `dsocr serve`: lines for people, or one JSON object a line with request and trace
    ids, and a line for each request."""
    traces_url: str = ""
    """An OTLP collector that gets traces, such as `http://host:4318/v1/traces`; empty: none. Needs
    the extra `otel`."""
    pages: PagesConfig = field(default_factory=PagesConfig)
    embedded: PpocrConfig = field(default_factory=PpocrConfig)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
    remote: RemoteConfig = field(default_factory=RemoteConfig)
    ray: RayConfig = field(default_factory=RayConfig)
    server: ServerConfig = field(default_factory=ServerConfig)
    jobs: JobsConfig = field(default_factory=JobsConfig)

    @staticmethod
    def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
        """Raises `BadSetting`, naming the variable. Relative paths: see `base_folder`."""
        given = os.environ if environment is None else environment
        _warn_about_unknown(given)
        values: dict[str, dict[str, Any]] = {}
        for variable in variables():
            section = values.setdefault(variable.section, {})
            if variable.name in given and given[variable.name].strip():
                section[variable.field] = _convert(variable, given[variable.name])
        values["runtime"].setdefault("model_path", default_model_path())
        sections = {name: _sections()[name](**values[name]) for name in values if name}
        return Settings(**values[""], **sections)

    @property
    def keys_path(self) -> Path:
        """The file of `dsocr keys`; it need not exist."""
        return self.server.keys_file or self.runs_dir / "keys.json"

    @property
    def needs_key(self) -> bool:
        """Whether the service asks for a key, as far as that is known before it runs."""
        return bool(self.server.api_keys) or self.keys_path.exists()

    def option_limits(self) -> OptionLimits:
        """Defaults and limits of a request's options."""
        return OptionLimits(
            default_prompt=self.default_prompt,
            no_repeat_ngram=self.no_repeat_ngram,
            languages=self.languages,
            max_prompt_bytes=self.server.max_prompt_bytes,
            max_output_tokens=self.server.max_output_tokens,
        )

    def models_config(self) -> ModelsConfig:
        """The hosts of the service: one engine, or several models."""
        return models_config(self.models, self._host_config(), self.model_idle_seconds)

    def host_config(self) -> HostConfig:
        """The host of the default model, which commands use."""
        return self.models_config().default

    def ray_config(self) -> RayEngineConfig:
        """The settings of the engine `ray`, with those of what its replicas run."""
        configs = {"native": self.runtime, "ppocr": self.embedded}
        return RayEngineConfig(self.ray, configs, traces_url=self.traces_url)

    def _host_config(self) -> HostConfig:
        return HostConfig(
            engine=self.engine,
            engine_configs={
                "native": self.runtime,
                "ppocr": self.embedded,
                "ray": self.ray_config(),
                "remote": self.remote,
            },
            model_path=self.runtime.model_path,
            pages=self.pages,
            retry=self.retry,
        )


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting as an environment variable."""

    name: str
    section: str
    """A field of `Settings`; empty for a setting of `Settings` itself."""
    field: str
    type: Any
    default: Any

    @property
    def auto(self) -> Auto | None:
        """How the setting is computed where it is unset; None for one with a fixed default."""
        metadata = getattr(self.type, "__metadata__", ())
        return next((item for item in metadata if isinstance(item, Auto)), None)


def variables() -> Iterator[Variable]:
    """All settings; those of no section first."""
    configs: dict[str, Any] = {"": Settings, **_sections()}
    for section, config in configs.items():
        types = typing.get_type_hints(config, include_extras=True)
        for item in dataclasses.fields(config):
            if item.name not in _sections():
                rule = f"DEEPSEEK_OCR_{section}__{item.name}".upper()
                name = FIXED_NAMES.get((section, item.name), rule)
                yield Variable(name, section, item.name, types[item.name], item.default)


def check_runs_dir(runs: Path) -> None:
    """Raises `BadSetting` if the service could not store jobs in the folder. Leaves no files.

    Creates a temporary file: permissions are not enough (root, /proc, a read-only disk).
    """
    jobs = runs / "jobs"
    existing = next(folder for folder in (jobs, *jobs.parents) if os.path.exists(folder))
    try:
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        name = FIXED_NAMES["", "runs_dir"]
        reason = f"{existing} is not writable ({error.strerror or error})"
        raise BadSetting(f"{name}: {runs} cannot be used: {reason}.") from error


def checkout() -> Path | None:
    """The root of the repository that the package runs from; None for an installed wheel."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "web_project" / "backend").is_dir() else None


def base_folder() -> Path:
    """Relative paths start at `web_project/backend` of a checkout, else at the working folder."""
    root = checkout()
    return root / "web_project" / "backend" if root else Path.cwd()


def default_model_path() -> Path:
    return (checkout() or Path.cwd()) / "ocr_project" / "model"


@functools.cache
def _sections() -> dict[str, type[Any]]:
    """The fields of `Settings` that are config dataclasses."""
    types = typing.get_type_hints(Settings)
    return {
        name: config
        for name, config in types.items()
        if isinstance(config, type) and dataclasses.is_dataclass(config)
    }


def _convert(variable: Variable, text: str) -> Any:
    """The value of a variable's text. Raises `BadSetting`."""
    parse = PARSERS.get((variable.section, variable.field))
    try:
        return parse(text) if parse else _by_type(variable, text.strip())
    except ValidationError as error:
        raise BadSetting(f"{variable.name}: {error.errors()[0]['msg']}") from error
    except ValueError as error:
        raise BadSetting(f"{variable.name}: {error}") from error


def _by_type(variable: Variable, text: str) -> Any:
    if text.lower() == "auto" and variable.auto is not None:
        return None
    if typing.get_origin(variable.type) is tuple:
        return tuple(part for part in (piece.strip() for piece in text.split(",")) if part)
    value = TypeAdapter(variable.type).validate_python(text)
    if isinstance(value, (int, float)) and value < 0:
        raise ValueError("it must not be negative")
    return _full_path(value) if isinstance(value, Path) else value


def _engine(text: str) -> str:
    if canonical_name(text) not in ("auto", *ENGINES):
        raise ValueError(f"choose one of auto, {', '.join(ENGINES)}")
    return text.strip()


def _database_url(text: str) -> str:
    if not text.startswith(DATABASE_SCHEMES):
        raise ValueError("write sqlite:///path or postgresql+psycopg://user@host/database")
    return text.strip()


def _storage_url(text: str) -> str:
    if not is_cloud_url(text):
        raise ValueError("write s3://bucket/prefix, gs://bucket/prefix or az://container/prefix")
    return text.strip()


PARSERS: dict[tuple[str, str], Callable[[str], Any]] = {
    ("", "engine"): _engine,
    ("", "default_prompt"): lambda text: text.replace("\\n", "\n"),
    ("", "no_repeat_ngram"): parse_no_repeat,
    ("", "languages"): parse_languages,
    ("", "models"): lambda text: tuple(map(_full_model, parse_models(text))),
    ("runtime", "device"): lambda text: ",".join(parse_devices(text)),
    ("remote", "urls"): parse_urls,
    ("jobs", "database_url"): _database_url,
    ("jobs", "storage_url"): _storage_url,
}
"""Section and field -> what makes its value, for settings that their type does not describe. Raises
`ValueError`."""


def _full_model(model: NamedModel) -> NamedModel:
    """With its full path and checked devices. Raises `ValueError`."""
    devices = ",".join(parse_devices(model.devices)) if model.devices else None
    return replace(model, path=_full_path(model.path), devices=devices)


def _full_path(path: Path) -> Path:
    return Path(os.path.normpath(base_folder() / path.expanduser()))


def _warn_about_unknown(given: Mapping[str, str]) -> None:
    """Logs names that look mistyped. Other products use the prefix DEEPSEEK_ too."""
    known = [variable.name for variable in variables()]
    for name in sorted(set(given) - set(known)):
        if not name.startswith("DEEPSEEK_"):
            continue
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.88)
        if close:
            logger.warning("%s is not a setting and does nothing; did you mean %s?", name, close[0])
        elif name.startswith("DEEPSEEK_OCR_"):
            logger.warning("%s is not a setting of this version and does nothing", name)
