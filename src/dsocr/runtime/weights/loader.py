"""Safetensors files to a model on its device, without a second copy in host memory.

The model is laid out without memory first; its tensors say which checkpoint tensors it needs. All
that is wrong with a checkpoint is found in the files' headers and told in one `CheckpointError`
before a byte of weights is read.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dsocr.runtime.config import AttentionName, ExpertDtypeName
from dsocr.runtime.kernels.triton_compat import supports_kernels
from dsocr.runtime.layers.attention import usable_attention
from dsocr.runtime.layers.int8 import Place
from dsocr.runtime.layers.moe import Experts, usable_experts
from dsocr.runtime.models.deepseek_ocr import IGNORED, DeepseekOcr
from dsocr.runtime.spec import CheckpointError, DeepseekOcrSpec, read_spec

INDEX = "model.safetensors.index.json"
SHOWN = 8
"""So many names of each kind of fault are told; of the rest only the number."""

_FLOATS = {"BF16", "F16", "F32"}

_PIECE = 8 << 20
"""Elements staged at once on the way to a GPU: pinned blocks are rounded up to powers of two."""
_PIECES_AHEAD = 16
"""Pieces that may be on their way."""


@dataclass(frozen=True, slots=True)
class CheckpointReport:
    """What a weights folder holds against what the model needs."""

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
    """Known tensors that are never used."""

    @property
    def problems(self) -> str:
        """Everything wrong, or an empty text."""
        faults = {
            "unreadable": self.unreadable,
            "missing": self.missing,
            "extra": self.extra,
            "of another shape or type": self.misshapen,
        }
        return "; ".join(_listed(what, names) for what, names in faults.items() if names)


@dataclass
class _Headers:
    """name -> (file, shape, dtype) of all tensors, and files that cannot be read."""

    num_files: int
    tensors: dict[str, tuple[Path, tuple[int, ...], str]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)


def load_model(
    path: Path,
    *,
    device: torch.device,
    dtype: torch.dtype,
    attention: AttentionName,
    kernels: bool = False,
    expert_dtype: ExpertDtypeName = "auto",
) -> DeepseekOcr:
    """The model with its weights, on the device, in eval mode. Raises `CheckpointError`.

    `attention` is a wish; `DeepseekOcr.attention` says what is used. So are `kernels`: they need
    a CUDA GPU and Triton.
    """
    spec = read_spec(path)
    attention = usable_attention(attention, device=device, dtype=dtype)
    model = _without_memory(spec, attention)
    headers = _read_headers(path)
    report = _compare(model, headers)
    if report.problems:
        raise CheckpointError(f"{path}: {report.problems}")
    model = give_memory(model, device=device, dtype=dtype, expert_dtype=expert_dtype)
    _fill(dict(model.checkpoint_tensors()), headers)
    if kernels and supports_kernels(device, dtype):
        model.use_kernels()
    return model


def give_memory(
    model: DeepseekOcr,
    *,
    device: torch.device,
    dtype: torch.dtype,
    expert_dtype: ExpertDtypeName = "auto",
) -> DeepseekOcr:
    """A model laid out on `meta`, on its device and ready but for the numbers in it."""
    model = model.to(dtype)
    for module in model.modules():
        if isinstance(module, Experts):
            module.kind = usable_experts(device=device, dtype=dtype)
            if expert_dtype == "int8":
                module.use_int8()
    if dtype == torch.float32:
        torch.backends.cudnn.allow_tf32 = False  # float32 is asked for to compare; mean it
    for module in model.modules():
        for name, empty in _tensors(module):
            # `to_empty` asks `meta` for its like, and torch imports its algebra to answer
            memory = torch.empty(empty.shape, dtype=empty.dtype, device=device)
            is_weight = isinstance(empty, nn.Parameter)
            setattr(module, name, nn.Parameter(memory, False) if is_weight else memory)
    return model.eval()


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]


def check_checkpoint(path: Path) -> CheckpointReport:
    """Compares the files' headers with what config.json asks for; reads no weights."""
    return _compare(_without_memory(read_spec(path), "sdpa"), _read_headers(path))


def _without_memory(spec: DeepseekOcrSpec, attention: AttentionName) -> DeepseekOcr:
    with torch.device("meta"), _Unfilled():
        return DeepseekOcr(spec, attention=attention)


class _Unfilled(TorchFunctionMode):
    """Layers are made without first numbers. On `meta` there is nothing to fill, but torch imports
    its compiler to do so: a second at every start."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == nn.init.__name__:
            return kwargs["tensor"]
        return func(*args, **kwargs)


def _files(folder: Path) -> list[Path]:
    """The files the index names, else all there are: re-uploads are split otherwise (spec 1)."""
    index = folder / INDEX
    if not index.is_file():
        return sorted(folder.glob("*.safetensors"))
    try:
        names = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index} cannot be read: {error!r}") from error
    # a name with a path in it would lead out of the folder
    return sorted(folder / Path(str(name)).name for name in names)


def _read_headers(folder: Path) -> _Headers:
    files = _files(folder)
    if not files:
        raise CheckpointError(f"{folder} holds no *.safetensors file")
    headers = _Headers(num_files=len(files))
    for file in files:
        try:
            with safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118
                    view = opened.get_slice(name)
                    headers.tensors[name] = (file, tuple(view.get_shape()), view.get_dtype())
        except (SafetensorError, OSError) as error:
            headers.unreadable.append(f"{file.name} ({error})")
    return headers


def _compare(model: DeepseekOcr, headers: _Headers) -> CheckpointReport:
    wanted = {name: tuple(tensor.shape) for name, tensor in model.checkpoint_tensors()}
    found = {name: held for name, held in headers.tensors.items() if name not in IGNORED}
    misshapen = [
        f"{name} {list(shape)} {dtype}, not {list(wanted[name])}"
        for name, (_, shape, dtype) in found.items()
        if name in wanted and (shape != wanted[name] or dtype not in _FLOATS)
    ]
    return CheckpointReport(
        num_files=headers.num_files,
        num_tensors=len(headers.tensors),
        num_parameters=sum(torch.Size(shape).numel() for _, shape, _ in headers.tensors.values()),
        dtypes=tuple(sorted({dtype for _, _, dtype in found.values()})),
        unreadable=tuple(headers.unreadable),
        # what lies in an unreadable file is not missing
        missing=() if headers.unreadable else tuple(sorted(wanted.keys() - found.keys())),
        extra=tuple(sorted(found.keys() - wanted.keys())),
        misshapen=tuple(sorted(misshapen)),
        ignored=tuple(sorted(headers.tensors.keys() & IGNORED)),
    )


def _fill(tensors: dict[str, Place], headers: _Headers) -> None:
    """Copies every tensor of the files into its place, cast on the way."""
    with ExitStack() as stack, torch.no_grad():
        opened: dict[Path, Any] = {}
        under_way: deque[torch.cuda.Event] = deque()
        for name, tensor in tensors.items():
            file = headers.tensors[name][0]
            if file not in opened:
                opened[file] = stack.enter_context(safe_open(file, framework="pt"))
            try:
                _copy(opened[file].get_tensor(name), tensor, under_way)
            except (SafetensorError, OSError) as error:
                raise CheckpointError(f"{file.name} cannot be read at {name}: {error}") from error


def _copy(source: Tensor, target: Place, under_way: deque[torch.cuda.Event]) -> None:
    """Cast on the device: fewer bytes travel, and the CPU is spared. A GPU is not waited for but
    for what was sent some pieces before."""
    if target.device.type != "cuda":
        target.copy_(source.to(target.device))
        return
    pieces: Sequence[Tensor] = [source]
    places: Sequence[Place] = [target]
    if isinstance(target, Tensor):  # others are small, and rounded row by row
        pieces, places = (torch.split(one, _PIECE) for one in (source.flatten(), target.view(-1)))
    # all cores copy into pinned memory while the bus carries the piece before
    for piece, place in zip(pieces, places, strict=True):
        pinned = piece.pin_memory()
        if isinstance(place, Tensor) and place.dtype == piece.dtype:
            place.copy_(pinned, non_blocking=True)
        else:
            place.copy_(pinned.to(place.device, non_blocking=True))
        sent = torch.cuda.Event()  # type: ignore[no-untyped-call]
        sent.record()
        under_way.append(sent)
        if len(under_way) > _PIECES_AHEAD:  # a slow bus would have all weights pinned at once
            under_way.popleft().synchronize()


def _listed(what: str, names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:SHOWN])
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} {what}: {shown}{more}"
