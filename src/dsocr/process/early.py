"""A worker process that is started before its supervisor exists.

Importing the service takes a second, and the engine's process needs nothing of it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from dsocr.process.child import Child

_lock = threading.Lock()
_children: dict[str, tuple[dict[str, Any], Child]] = {}
"""By target, until the supervisor takes them; one for each."""


def start_early(target: str, arguments: Mapping[str, Any]) -> None:
    """Starts the process that `take_early` returns. It ends with this one. Raises `ChildDied`."""
    child = Child(target, arguments)
    with _lock:
        _, before = _children.pop(target, ({}, None))
        _children[target] = dict(arguments), child
    if before is not None:
        before.kill()


def take_early(target: str, arguments: Mapping[str, Any]) -> Child | None:
    """The process that was started for this target, once. One with other arguments, or one that has
    ended, is of no use: it is killed and None returned."""
    with _lock:
        given, child = _children.pop(target, ({}, None))
    if child is None or (child.alive and given == dict(arguments)):
        return child
    child.kill()
    return None
