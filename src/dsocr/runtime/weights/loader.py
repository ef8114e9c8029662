"""Loads safetensors files into a model on its device, without a second copy in host memory.

The model is first built without memory; its tensors name the checkpoint tensors it needs. The
files' headers are checked first, and one `CheckpointError` lists all faults.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeGuard

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dsocr.runtime.config import AttentionName, ExpertDtypeName
from dsocr.runtime.execution.decode_step import can_decode
from dsocr.runtime.execution.decoder_weights import join_weights
from dsocr.runtime.kernels.triton_compat import supports_kernels
from dsocr.runtime.layers.attention import usable_attention
from dsocr.runtime.layers.int8 import Destination
from dsocr.runtime.layers.moe import Experts, usable_experts
from dsocr.runtime.models.family import OcrModel
from dsocr.runtime.models.registry import Family, read_family
from dsocr.runtime.spec import CheckpointError, FamilySpec
from dsocr.runtime.weights.headers import (
    DTYPES,
    CheckpointReport,
    Headers,
    compare,
    read_headers,
)
from dsocr.runtime.weights.transfer import Transfer

OnProgress = Callable[[int, int], None]
"""Gets the bytes that are loaded, and all that are to be."""

_STAGED_ELEMENTS = 8 << 20
"""Elements copied to a GPU at once: pinned allocations are rounded up to powers of two."""
_MAX_COPIES_IN_FLIGHT = 16
"""Copies enqueued before the oldest is waited for."""


def load_model(
    path: Path,
    *,
    device: torch.device,
    dtype: torch.dtype,
    attention: AttentionName,
    kernels: bool = False,
    expert_dtype: ExpertDtypeName = "auto",
) -> OcrModel:
    """The model with its weights, on the device, in eval mode. Raises `CheckpointError`.

    `attention` and `kernels` are preferences: the model's `attention` is the one used, and kernels
    need a CUDA GPU and Triton.
    """
    model, transfer = start_loading(
        path,
        device=device,
        dtype=dtype,
        attention=attention,
        kernels=kernels,
        expert_dtype=expert_dtype,
    )
    transfer.wait()
    return model


def start_loading(
    path: Path,
    *,
    device: torch.device,
    dtype: torch.dtype,
    attention: AttentionName,
    kernels: bool = False,
    expert_dtype: ExpertDtypeName = "auto",
    on_progress: OnProgress = lambda done, total: None,
) -> tuple[OcrModel, Transfer]:
    """`load_model`, whose decoder may still be on its way: its memory is final, its numbers are not
    before the transfer has ended. All other weights are there, since tables are derived from them.
    `on_progress` gets the bytes of these that are loaded, and all of them.
    """
    attention = usable_attention(attention, device=device, dtype=dtype)
    model = _without_memory(path, attention)
    headers = read_headers(path)
    report = compare(model, headers)
    if report.problems:
        raise CheckpointError(f"{path}: {report.problems}")
    assert isinstance(model, nn.Module)
    give_memory(model, device=device, dtype=dtype, expert_dtype=expert_dtype)
    if kernels and supports_kernels(device, dtype):
        model.use_kernels()
    late = join_weights(model) if kernels and can_decode(model) else frozenset()
    tensors = dict(model.checkpoint_tensors())
    of_decoder: dict[str, tuple[Path, Tensor]] = {}
    others: dict[str, tuple[Path, Tensor]] = {}
    for name, tensor in tensors.items():
        if _is_same(tensor, headers, name):
            group = of_decoder if tensor.untyped_storage().data_ptr() in late else others
            group[name] = headers.tensors[name][0], tensor
    rest = tensors.keys() - of_decoder.keys() - others.keys()
    _fill({name: tensors[name] for name in sorted(rest)}, headers, on_progress)
    Transfer(others, device).wait(on_progress)
    return model, Transfer(of_decoder, device)


def _is_same(target: Destination, headers: Headers, name: str) -> TypeGuard[Tensor]:
    """Whether the file's bytes are those of the tensor, on a GPU."""
    if not isinstance(target, Tensor) or target.device.type != "cuda":
        return False
    return target.is_contiguous() and DTYPES.get(headers.tensors[name][2]) == target.dtype


def give_memory(
    model: nn.Module,
    *,
    device: torch.device,
    dtype: torch.dtype,
    expert_dtype: ExpertDtypeName = "auto",
) -> None:
    """Allocates a model that was built on `meta`, on its device and in eval mode; its weights are
    still to be filled."""
    model.to(dtype)
    for module in model.modules():
        if isinstance(module, Experts):
            module.kind = usable_experts(device=device, dtype=dtype)
            if expert_dtype == "int8":
                module.use_int8()
    if dtype == torch.float32:
        torch.backends.cudnn.allow_tf32 = False  # float32 is used for comparisons
    for module in model.modules():
        for name, empty in _tensors(module):
            # not `to_empty`: on `meta` it makes torch import sympy
            memory = torch.empty(empty.shape, dtype=empty.dtype, device=device)
            is_weight = isinstance(empty, nn.Parameter)
            setattr(module, name, nn.Parameter(memory, False) if is_weight else memory)
    model.eval()


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    return [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]


def check_checkpoint(path: Path) -> CheckpointReport:
    """Compares the files' headers with the tensors that config.json implies; reads no weights."""
    return compare(_without_memory(path, "sdpa"), read_headers(path))


def _without_memory(path: Path, attention: AttentionName) -> OcrModel:
    return empty_model(*read_family(path), attention)


def empty_model(family: Family, spec: FamilySpec, attention: AttentionName) -> OcrModel:
    """A model on `meta`, without memory; `give_memory` allocates it."""
    with torch.device("meta"), _Unfilled():
        return family.make_model(spec, attention)


class _Unfilled(TorchFunctionMode):
    """Skips `nn.init`. On `meta` there is nothing to fill, but torch would import its compiler for
    it, which takes a second at every start."""

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


def _fill(tensors: dict[str, Destination], headers: Headers, on_progress: OnProgress) -> None:
    """Copies these tensors of the files to their destinations, with a cast."""
    sizes = {name: torch.Size(tensor.shape).numel() for name, tensor in tensors.items()}
    total, done = sum(sizes.values()), 0
    with ExitStack() as stack, torch.no_grad():
        opened: dict[Path, Any] = {}
        copies: deque[torch.cuda.Event] = deque()
        for name, tensor in tensors.items():
            file = headers.tensors[name][0]
            if file not in opened:
                opened[file] = stack.enter_context(safe_open(file, framework="pt"))
            try:
                _copy(opened[file].get_tensor(name), tensor, copies)
            except (SafetensorError, OSError) as error:
                raise CheckpointError(f"{file.name} cannot be read at {name}: {error}") from error
            done += sizes[name]
            on_progress(2 * done, 2 * total)  # as in a file of 16-bit numbers


def _copy(source: Tensor, target: Destination, copies: deque[torch.cuda.Event]) -> None:
    """Copies and casts. To a GPU the cast runs on the device, so that fewer bytes are transferred,
    and the copies are asynchronous; `copies` holds the events of those in flight."""
    if target.device.type != "cuda":
        target.copy_(source.to(target.device))
        return
    sources: Sequence[Tensor] = [source]
    targets: Sequence[Destination] = [target]
    # int8 ones are small, and quantized row by row
    if isinstance(target, Tensor) and target.is_contiguous():
        flat = (source.flatten(), target.view(-1))
        sources, targets = (torch.split(one, _STAGED_ELEMENTS) for one in flat)
    # pinning one part overlaps with the transfer of the part before
    for part, destination in zip(sources, targets, strict=True):
        _copy_pinned(part.pin_memory(), destination)
        sent = torch.cuda.Event()  # type: ignore[no-untyped-call]
        sent.record()
        copies.append(sent)
        if len(copies) > _MAX_COPIES_IN_FLIGHT:  # bounds the pinned memory
            copies.popleft().synchronize()


def _copy_pinned(source: Tensor, target: Destination) -> None:
    if isinstance(target, Tensor) and target.dtype == source.dtype:
        target.copy_(source, non_blocking=True)
    else:
        target.copy_(source.to(target.device, non_blocking=True))
