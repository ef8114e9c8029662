"""What is to be compiled: for which card, which model and which number types. Plain data, as the
compiling process gets it; importing this loads neither torch nor Triton."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import dsocr.runtime
from dsocr import __version__
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.kernels.card import Card
from dsocr.runtime.models.registry import DEFAULT_ARCHITECTURE, FAMILIES, Family, read_family
from dsocr.runtime.spec import FamilySpec

MAX_SEQS = 256
"""Sequences of a step unless the settings say otherwise; `memory_plan` may use fewer."""


@dataclass(frozen=True, slots=True)
class CompilationPlan:
    """One configuration whose kernels are compiled together."""

    folder: Path
    """The kernel cache."""
    card: Card
    model_path: Path | None
    """A folder with config.json; None: the released sizes."""
    dtype: str
    cache_dtype: str
    expert_dtype: str
    max_num_seqs: int
    drafts: bool = False
    """Whether steps have drafts that are looked up on the card."""

    @property
    def model(self) -> tuple[Family, FamilySpec]:
        """Raises `CheckpointError`."""
        if self.model_path is not None:
            return read_family(self.model_path)
        family = FAMILIES[DEFAULT_ARCHITECTURE]
        assert family.released_spec is not None
        return family, family.released_spec

    @property
    def marker(self) -> Path:
        """A file that exists once everything is compiled. Its name has the hash of what the result
        depends on."""
        parts = (
            *(__version__, sys.version, *map(_version, ("torch", "triton")), _sources()),
            *(self.card, self.model[1], self.dtype, self.cache_dtype, self.expert_dtype),
            *(self.max_num_seqs, self.drafts),
        )
        digest = hashlib.sha256(repr(parts).encode()).hexdigest()
        return self.folder / f"dsocr-{self.card.arch}-{digest[:32]}.json"

    def to_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "capability": self.card.capability,
            "shared_memory": self.card.shared_memory,
            "model_path": None if self.model_path is None else str(self.model_path),
            "dtype": self.dtype,
            "cache_dtype": self.cache_dtype,
            "expert_dtype": self.expert_dtype,
            "max_num_seqs": self.max_num_seqs,
            "drafts": self.drafts,
        }

    @staticmethod
    def from_json(values: dict[str, Any]) -> CompilationPlan:
        values = dict(values)
        major, minor = values.pop("capability")
        card = Card((major, minor), values.pop("shared_memory"))
        path = values.pop("model_path")
        return CompilationPlan(
            folder=Path(values.pop("folder")),
            card=card,
            model_path=None if path is None else Path(path),
            **values,
        )

    def mark(self, compiled: int, failed: list[str]) -> None:
        """Writes the marker, whole or not at all."""
        text = json.dumps({"arch": self.card.arch, "compiled": compiled, "failed": failed})
        part = self.marker.with_suffix(".part")
        part.write_text(text, "utf-8")
        part.replace(self.marker)


def plan_compilation(config: RuntimeConfig, card: Card, folder: Path) -> CompilationPlan:
    """The plan of these settings on this card."""
    path = config.model_path
    dtype = config.dtype
    if dtype == "auto":
        dtype = "bfloat16" if card.has_bfloat16 else "float16"
    return CompilationPlan(
        folder=folder,
        card=card,
        model_path=path if path is not None and (path / "config.json").is_file() else None,
        dtype=dtype,
        cache_dtype=config.cache_dtype,
        expert_dtype=config.expert_dtype,
        max_num_seqs=config.max_num_seqs or MAX_SEQS,
        drafts=config.drafts == "fast",
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _sources() -> str:
    """A hash of the runtime's own code: any of it may change what is launched."""
    digest = hashlib.sha256()
    for folder in dsocr.runtime.__path__:
        for file in sorted(Path(folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()
