"""Settings of the engine `ray`. Importing this loads no Ray."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt

ReplicaEngine = Literal["native", "ppocr"]


@dataclass(frozen=True, slots=True)
class RayConfig:
    """Which cluster, and what its replicas are."""

    address: str = ""
    """Of the cluster: `auto` for the one that this machine belongs to; empty: a cluster of this
    machine alone, which ends with the service."""
    application: str = "dsocr"
    """Name of the Serve application. One of that name that runs already is used as it is."""
    engine: ReplicaEngine = "native"
    """What each replica runs, with the settings of that engine."""
    min_replicas: Annotated[int, Ge(0)] = 1
    """Replicas that stay without pages."""
    max_replicas: Annotated[int, Gt(0)] = 1
    """Replicas under load."""
    pages_per_replica: Annotated[int, Gt(0)] = 32
    """Pages in flight at a replica; at more on average, replicas are added."""
    gpus_per_replica: Annotated[float, Ge(0)] = 1
    """GPUs that a replica reserves; 0 for CPUs."""
    cpus_per_replica: Annotated[float, Ge(0)] = 1
    """CPUs that a replica reserves."""
    start_seconds: Annotated[float, Gt(0)] = 900
    """Time limit for the first replica."""


@dataclass(frozen=True, slots=True)
class RayEngineConfig:
    """The settings, with those of the engines that replicas can run."""

    ray: RayConfig = field(default_factory=RayConfig)
    engine_configs: Mapping[str, Any] = field(default_factory=dict)
    target: str = ""
    """`module:function` that creates a replica's engine; empty: that of `ray.engine`."""
    traces_url: str = ""
    """Of the OTLP collector that replicas send spans to; empty: none."""
