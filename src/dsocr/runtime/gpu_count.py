"""Counts the GPUs that torch can use, as a child process, so that its parent needs no driver.

CUDA devices are counted by the driver, which takes a fraction of a second: importing torch takes
several. A torch build for AMD's GPUs counts them itself.
"""

from __future__ import annotations

import ctypes
import re
from importlib.metadata import PackageNotFoundError, version

from dsocr.process.child import Channel, Header

DRIVER = "libcuda.so.1"


def main(channel: Channel, arguments: Header) -> None:
    """Answers one request with `gpus`."""
    channel.receive()
    channel.send({"gpus": count_gpus()})


def count_gpus() -> int:
    """0 without a GPU, without its driver, and for a torch build that cannot use it. Respects
    CUDA_VISIBLE_DEVICES."""
    build = _torch_build()
    if build == "rocm":
        import torch

        return torch.cuda.device_count()
    return 0 if build in ("cpu", "xpu") else _count_cuda_devices()


def _torch_build() -> str:
    """`cpu`, `rocm` or `xpu`; empty for a CUDA build, and without torch."""
    try:
        match = re.search(r"\+(cpu|rocm|xpu)", version("torch"))
    except PackageNotFoundError:
        return ""
    return match[1] if match else ""


def _count_cuda_devices() -> int:
    count = ctypes.c_int()
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return 0
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value
