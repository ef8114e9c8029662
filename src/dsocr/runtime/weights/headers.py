"""The headers of a weights folder's safetensors files, compared with what a model needs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from dsocr.runtime.models.family import OcrModel
from dsocr.runtime.spec import CheckpointError

INDEX = "model.safetensors.index.json"
MAX_NAMES = 8
"""Names listed for each kind of fault; the others are counted."""

DTYPES = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}


@dataclass(frozen=True, slots=True)
class CheckpointReport:
    """The tensors of a weights folder, compared with those that the model needs."""

    num_files: int
    num_tensors: int
    num_parameters: int
    dtypes: tuple[str, ...]
    """As safetensors names them: BF16, F16, F32."""
    unreadable: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    misshapen: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    """Known tensors that are not used."""

    @property
    def problems(self) -> str:
        """All faults, or an empty text."""
        faults = {
            "unreadable": self.unreadable,
            "missing": self.missing,
            "extra": self.extra,
            "of another shape or type": self.misshapen,
        }
        return "; ".join(_listed(what, names) for what, names in faults.items() if names)


@dataclass
class Headers:
    """name -> (file, shape, dtype) of all tensors, and the files that cannot be read."""

    num_files: int
    tensors: dict[str, tuple[Path, tuple[int, ...], str]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)


def _files(folder: Path) -> list[Path]:
    """The files that the index names, else all: copies of the release are split differently
    (spec 1)."""
    index = folder / INDEX
    if not index.is_file():
        return sorted(folder.glob("*.safetensors"))
    try:
        names = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index} cannot be read: {error!r}") from error
    # only the name: a path in the index could lead out of the folder
    return sorted(folder / Path(str(name)).name for name in names)


def read_headers(folder: Path) -> Headers:
    files = _files(folder)
    if not files:
        raise CheckpointError(f"{folder} holds no *.safetensors file")
    headers = Headers(num_files=len(files))
    for file in files:
        try:
            with safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118
                    view = opened.get_slice(name)
                    headers.tensors[name] = (file, tuple(view.get_shape()), view.get_dtype())
        except (SafetensorError, OSError) as error:
            headers.unreadable.append(f"{file.name} ({error})")
    return headers


def compare(model: OcrModel, headers: Headers) -> CheckpointReport:
    wanted = {name: tuple(tensor.shape) for name, tensor in model.checkpoint_tensors()}
    found = {
        name: held for name, held in headers.tensors.items() if name not in model.ignored_tensors
    }
    misshapen = [
        f"{name} {list(shape)} {dtype}, not {list(wanted[name])}"
        for name, (_, shape, dtype) in found.items()
        if name in wanted and (shape != wanted[name] or dtype not in DTYPES)
    ]
    return CheckpointReport(
        num_files=headers.num_files,
        num_tensors=len(headers.tensors),
        num_parameters=sum(torch.Size(shape).numel() for _, shape, _ in headers.tensors.values()),
        dtypes=tuple(sorted({dtype for _, _, dtype in found.values()})),
        unreadable=tuple(headers.unreadable),
        # tensors may be in an unreadable file, so none is reported missing
        missing=() if headers.unreadable else tuple(sorted(wanted.keys() - found.keys())),
        extra=tuple(sorted(found.keys() - wanted.keys())),
        misshapen=tuple(sorted(misshapen)),
        ignored=tuple(sorted(headers.tensors.keys() & model.ignored_tensors)),
    )


def _listed(what: str, names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:MAX_NAMES])
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return f"{len(names)} {what}: {shown}{more}"
