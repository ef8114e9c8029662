"""The engine hosts of a service: the default one, and those of further models by name.

The default engine is started with the service. Another model is started when it is first asked for.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dsocr.engines.base import EngineInfo
from dsocr.engines.registry import ALIASES, ENGINES, canonical_name, names_of
from dsocr.errors import InvalidField
from dsocr.host import CreateEngine, EngineHost, HostConfig
from dsocr.metrics import Metrics
from dsocr.pages.sandbox import Sandbox
from dsocr.pipeline.pipeline import Pipeline

NATIVE, EMBEDDED = "native", "ppocr"
MAX_NAME = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model that requests can name."""

    name: str
    path: Path
    """Folder of its weights."""
    devices: str | None = None
    """Devices of its workers, as in `DEEPSEEK_OCR_DEVICE`; None: those of that setting."""


def parse_models(text: str) -> tuple[NamedModel, ...]:
    """`name=folder`, comma separated; `name=folder@cuda:0+cuda:1` with devices. Raises
    `ValueError`."""
    models = tuple(_parse_model(part.strip()) for part in text.split(",") if part.strip())
    names = [model.name.lower() for model in models]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name} is named twice")
    return models


def _parse_model(text: str) -> NamedModel:
    name, equals, rest = (part.strip() for part in text.partition("="))
    folder, at, devices = rest.rpartition("@")
    if not at:
        folder, devices = rest, ""
    devices = devices.replace("+", ",")
    if not equals or not folder:
        raise ValueError(f"write name=folder or name=folder@device, not {text[:80]!r}")
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise ValueError(
            f"{name[:80]!r} is no name: use letters, digits, `.`, `_` and `-`, at most {MAX_NAME}"
        )
    if name.lower() in ("auto", *ENGINES, *ALIASES):
        raise ValueError(f"{name} is the name of an engine; choose another one")
    return NamedModel(name, Path(folder), devices.strip() or None)


@dataclass(frozen=True, slots=True)
class ModelsConfig:
    """The models of a service."""

    default: HostConfig
    default_name: str = ""
    """Of the default model; empty where it has no name of its own."""
    others: Mapping[str, HostConfig] | None = None
    """The further ones by their name; None: the service has one engine."""


class ModelHosts:
    """Finds the host of a request by the name of a model or an engine."""

    def __init__(
        self,
        config: ModelsConfig,
        create_engine: CreateEngine | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.default = EngineHost(config.default, create_engine, metrics)
        self.default_name = config.default_name
        self._others = {
            name: EngineHost(other, create_engine, metrics, sandbox=self.sandbox)
            for name, other in (config.others or {}).items()
        }

    def __iter__(self) -> Iterator[tuple[str, EngineHost]]:
        """Names and hosts, the default one first."""
        yield self.default_name or self.default.selection.name, self.default
        yield from self._others.items()

    @property
    def sandbox(self) -> Sandbox:
        """Decodes the files of all hosts."""
        return self.default.sandbox

    @property
    def names(self) -> list[str]:
        """All that a request may name: models, engines and their aliases."""
        engine = self.default.selection.name
        names = [self.default_name] if self.default_name else []
        names += names_of(engine)
        for name in self._others:
            names += names_of(name)
        return list(dict.fromkeys(names))

    @property
    def engine_names(self) -> list[str]:
        """Engines that a request may name: the default one, and the embedded one beside models."""
        names = [self.default.selection.name, *(name for name in self._others if name in ENGINES)]
        return list(dict.fromkeys(names))

    @property
    def other_names(self) -> list[str]:
        """Names of hosts beside the default one."""
        return [alias for name in self._others for alias in names_of(name)]

    def host(self, name: str | None) -> EngineHost:
        """The default one for None and `auto`. Raises `InvalidField` for an unknown name."""
        wanted = canonical_name(name) if name else "auto"
        if wanted in ("auto", self.default_name, self.default.selection.name):
            return self.default
        if wanted not in self._others:
            known = ", ".join(dict.fromkeys(name for name, _ in self))
            raise InvalidField(f"model: there is no {wanted[:80]!r} here; there is: {known}")
        return self._others[wanted]

    def matching(self, name: str | None) -> str | None:
        """The name of a host for a name that a foreign client sends: that of a host, or of the
        model that it runs, such as `DeepSeek-OCR-2`. None for any other."""
        if name is None:
            return None
        if canonical_name(name) in self.names:
            return name
        described = ((key, host.described) for key, host in self)
        return next((key for key, info in described if info and info.model == name), None)

    def info_of(self, name: str | None = None) -> EngineInfo | None:
        """None while the engine is not ready, and for a name that no host has."""
        try:
            return self.host(name).info
        except InvalidField:
            return None

    async def pipeline(
        self, wait_seconds: float, name: str | None = None
    ) -> tuple[Pipeline, EngineInfo]:
        """Raises what `host` and `EngineHost.pipeline` raise."""
        return await self.host(name).pipeline(wait_seconds)

    async def start(self) -> None:
        """Starts the default engine in the background."""
        self.default.start()
        await asyncio.gather(*(host.prepare() for host in self._others.values()))

    async def close(self) -> None:
        await asyncio.gather(*(host.close() for host in self._others.values()))
        await self.default.close()


def models_config(
    models: tuple[NamedModel, ...], base: HostConfig, idle_seconds: float
) -> ModelsConfig:
    """One engine as `base` has it where no models are named. Else the first model is the default,
    unless `base` asks for the embedded engine; the embedded engine is always there."""
    if not models:
        return ModelsConfig(base)
    named = {model.name: _host_config(model, models, base) for model in models}
    embedded = replace(base, engine=EMBEDDED)
    others = {name: replace(one, idle_seconds=idle_seconds) for name, one in named.items()}
    if canonical_name(base.engine) == EMBEDDED:
        return ModelsConfig(embedded, others=others)
    first = models[0].name
    del others[first]
    others[EMBEDDED] = replace(embedded, idle_seconds=idle_seconds)
    return ModelsConfig(named[first], first, others)


def _host_config(model: NamedModel, models: tuple[NamedModel, ...], base: HostConfig) -> HostConfig:
    """The native engine on this model's weights and devices. Models on the same device share the
    memory that is left for their caches."""
    runtime: Any = base.engine_configs[NATIVE]
    device = model.devices or runtime.device
    sharing = sum((one.devices or runtime.device) == device for one in models)
    changed = replace(
        runtime,
        model_path=model.path,
        device=device,
        memory_share=runtime.memory_share / sharing,
    )
    return replace(
        base,
        engine=NATIVE,
        model_path=model.path,
        only_model_path=True,
        engine_configs={**base.engine_configs, NATIVE: changed},
    )
