"""Which device and number type to run with. A wish that cannot be met is an error by name."""

from __future__ import annotations

import torch

from dsocr.runtime.config import CacheDtypeName, DtypeName

_DTYPES: dict[str, torch.dtype] = {
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float32": torch.float32,
}
FP8 = torch.float8_e4m3fn
"""Four bits of exponent and three of mantissa: up to 448, and no infinity."""
_ADA = (8, 9)
_FP8_HEAD_DIM = 32
"""Their products go over pairs of numbers, and tensor cores take 16 of these at least."""
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "alloc_failed")
"""Of CUDA itself and Triton's loading of kernels; of the CPU; of cuBLAS and cuDNN."""


class DeviceError(Exception):
    """The device or number type asked for is not to be had. The text says what is."""


def choose_device(wish: str) -> torch.device:
    """`auto`: the first CUDA or ROCm device, else Apple's, else the CPU. Raises `DeviceError`."""
    if wish in ("auto", "all"):
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wish)
    except RuntimeError as error:
        raise DeviceError(
            f"There is no device {wish!r}: say auto, cpu, cuda, cuda:1 or mps."
        ) from error
    if device.type == "cuda":
        return _cuda(device)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("This torch or this machine has no mps device.")
    if device.type not in ("cpu", "mps"):
        raise DeviceError(f"The runtime does not know {wish!r}: say auto, cpu, cuda or mps.")
    return device


def make_current(device: torch.device) -> None:
    """For this thread. Triton launches on the current device, whatever its arguments lie on, and
    events and pinned memory belong to it."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


def choose_dtype(wish: DtypeName, device: torch.device) -> torch.dtype:
    """`auto`: bfloat16 where the card computes it, float16 on older cards, float32 on the CPU."""
    if wish == "auto":
        if device.type == "cuda":
            return torch.bfloat16 if _has_bfloat16(device) else torch.float16
        # bfloat16 was reported to be unstable on Apple's devices (spec 8)
        return torch.float16 if device.type == "mps" else torch.float32
    if wish == "float16" and device.type == "cpu":
        raise DeviceError("The CPU does not compute in float16: say float32 or bfloat16.")
    return _DTYPES[wish]


def choose_cache_dtype(
    wish: CacheDtypeName,
    *,
    dtype: torch.dtype,
    device: torch.device,
    kernels: bool,
    head_dim: int = 128,
) -> torch.dtype:
    """`auto`: what the model computes in. Raises `DeviceError` where fp8 is not to be had."""
    if wish == "auto":
        return dtype
    if device.type == "mps":
        raise DeviceError(
            "Apple's devices do not know fp8: say DEEPSEEK_OCR_RUNTIME__CACHE_DTYPE=auto."
        )
    if kernels and torch.cuda.get_device_capability(device) < _ADA:
        raise DeviceError(
            "A cache in fp8 needs a GPU of compute capability 8.9 or more: say "
            "DEEPSEEK_OCR_RUNTIME__CACHE_DTYPE=auto, or DEEPSEEK_OCR_RUNTIME__KERNELS=false for "
            "plain PyTorch, which is slower."
        )
    if kernels and head_dim < _FP8_HEAD_DIM:
        raise DeviceError(
            f"The kernels for a cache in fp8 need heads of {_FP8_HEAD_DIM} numbers or more, this "
            f"model's have {head_dim}: say DEEPSEEK_OCR_RUNTIME__CACHE_DTYPE=auto."
        )
    return FP8


def is_out_of_memory(error: RuntimeError) -> bool:
    """PyTorch's allocator has a class for it; all others have only words."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        words in str(error).lower() for words in _OUT_OF_MEMORY
    )


def dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _cuda(device: torch.device) -> torch.device:
    if not torch.cuda.is_available():
        raise DeviceError("No CUDA device can be used: none is there, or torch is a CPU build.")
    index, count = device.index or 0, torch.cuda.device_count()
    if index >= count:
        raise DeviceError(f"There is no cuda:{index}; this machine has {count}, counted from 0.")
    return torch.device("cuda", index)


def _has_bfloat16(device: torch.device) -> bool:
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
