"""The connection of this process to a Ray cluster."""

from __future__ import annotations

import os

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_agent_register_timeout_ms": "120000",  # a busy machine needs more than the default 30 s
}
"""Of the cluster's processes, where it is not set otherwise."""


def connect(address: str) -> bool:
    """Whether this process was connected now, and not before. Blocks.

    `address` is that of `RayConfig`. Raises `ImportError` without Ray, and Ray's errors.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        return False
    ray.init(
        address=address or None,
        include_dashboard=None if address else False,
        log_to_driver=False,
        configure_logging=False,
        namespace="serve",
    )
    return True
