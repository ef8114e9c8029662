"""What a check of `dsocr doctor` has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. "note" is informative; "bad" prevents reading or serving."""

    name: str
    state: State
    message: str
