"""The replicas as an application that Ray deploys by itself, without a service: `serve deploy` and
KubeRay's RayService name it as `dsocr.cli.ray_app:build`."""

from __future__ import annotations

from typing import Any

from dsocr.config import Settings
from dsocr.engines import registry
from dsocr.engines.ray.engine import application


def build(arguments: dict[str, Any] | None = None) -> Any:
    """The application with the settings of the environment of the process that builds it."""
    config = Settings.from_environment().ray_config()
    engine = config.ray.engine
    return application(config, registry.ENGINES[engine], config.engine_configs[engine])
