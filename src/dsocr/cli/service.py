"""The service that a command reads with, as its options name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Service:
    """`fields` are those of the form of `/api/jobs` that the user has chosen."""

    url: str
    key: str | None = field(repr=False)
    fields: Mapping[str, str]
