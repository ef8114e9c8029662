"""Selects the device and the number types. A request that cannot be met is a `DeviceError`."""

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
"""The fp8 kernels multiply pairs of numbers, and tensor cores need at least 16 of them."""
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "alloc_failed")
"""Texts of CUDA and Triton's kernel loading, of the CPU allocator, of cuBLAS and cuDNN."""


class DeviceError(Exception):
    """The requested device or number type is not available. The message says what to use."""


def choose_device(requested: str) -> torch.device:
    """`auto`: the first CUDA or ROCm device, else Apple's, else the CPU. Raises `DeviceError`."""
    if requested == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(requested)
    except RuntimeError as error:
        raise DeviceError(
            f"There is no device {requested!r}; use auto, cpu, cuda, cuda:1 or mps."
        ) from error
    if device.type == "cuda":
        return _cuda(device)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("This torch or this machine has no mps device; use auto or cpu.")
    if device.type not in ("cpu", "mps"):
        raise DeviceError(f"The device {requested!r} is not supported; use auto, cpu, cuda or mps.")
    return device


def make_current(device: torch.device) -> None:
    """Makes a CUDA device this thread's current one. Triton launches on the current device wherever
    its arguments are, and events and pinned memory belong to it. One without an index is it."""
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)


def choose_dtype(requested: DtypeName, device: torch.device) -> torch.dtype:
    """`auto`: bfloat16 on GPUs that support it, float16 on older ones, float32 on the CPU. Raises
    `DeviceError`."""
    if requested == "auto":
        if device.type == "cuda":
            return torch.bfloat16 if _has_bfloat16(device) else torch.float16
        # bfloat16 is reported to be unstable on Apple's devices (spec 8)
        return torch.float16 if device.type == "mps" else torch.float32
    if requested == "float16" and device.type == "cpu":
        raise DeviceError("The CPU does not compute in float16; use float32 or bfloat16.")
    return _DTYPES[requested]


def choose_cache_dtype(
    requested: CacheDtypeName,
    *,
    dtype: torch.dtype,
    device: torch.device,
    kernels: bool,
    head_dim: int,
) -> torch.dtype:
    """`auto`: the model's own dtype. Raises `DeviceError` where fp8 is not available."""
    if requested == "auto":
        return dtype
    if device.type == "mps":
        raise DeviceError(
            "Apple's devices do not support fp8; set DEEPSEEK_OCR_RUNTIME__CACHE_DTYPE=auto."
        )
    if kernels and torch.cuda.get_device_capability(device) < _ADA:
        raise DeviceError(
            "A cache in fp8 needs a GPU of compute capability 8.9 or more; set "
            "DEEPSEEK_OCR_RUNTIME__CACHE_DTYPE=auto, or DEEPSEEK_OCR_RUNTIME__KERNELS=false for "
            "plain PyTorch, which is slower."
        )
    if kernels and head_dim < _FP8_HEAD_DIM:
        raise DeviceError(
            f"The kernels for a cache in fp8 need a head size of {_FP8_HEAD_DIM} or more, this "
            f"model's is {head_dim}; set DEEPSEEK_OCR_RUNTIME__CACHE_DTYPE=auto."
        )
    return FP8


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether an error means out of memory. Only PyTorch's own allocator has a class for it; the
    others are recognized by their text."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        text in str(error).lower() for text in _OUT_OF_MEMORY
    )


def device_memory(device: torch.device) -> dict[str, int]:
    """Bytes that this process holds on a GPU, and those that the GPU has; empty elsewhere. Asks
    PyTorch's allocator, not the driver: contexts and libraries are not counted."""
    if device.type != "cuda":
        return {}
    total = torch.cuda.get_device_properties(device).total_memory
    return {"gpu_bytes": torch.cuda.memory_reserved(device), "gpu_total_bytes": total}


def dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _cuda(device: torch.device) -> torch.device:
    if not torch.cuda.is_available():
        raise DeviceError(
            "No CUDA device is available: there is none, or torch is a CPU build. Use auto or cpu."
        )
    index, count = device.index or 0, torch.cuda.device_count()
    if index >= count:
        raise DeviceError(
            f"There is no cuda:{index}; this machine has {count} CUDA devices, counted from 0."
        )
    return torch.device("cuda", index)


def _has_bfloat16(device: torch.device) -> bool:
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
