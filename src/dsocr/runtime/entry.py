"""The worker's first steps: what need not wait for torch's import begins before it.

Importing torch takes seconds of one core. Meanwhile the driver opens the GPU, which would otherwise
take another half second and needs nothing of torch.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
import threading
from importlib.metadata import PackageNotFoundError, version

from dsocr.process.child import Channel, Header

DRIVER = "libcuda.so.1"


def main(channel: Channel, arguments: Header) -> None:
    threading.Thread(target=open_gpu, args=(arguments["device"],), daemon=True).start()
    from dsocr.runtime.worker import main as work  # imports torch

    work(channel, arguments)


def open_gpu(device: str) -> None:
    """Makes the context that torch will find and use. Where that fails torch says why; where torch
    is a build without CUDA nobody would use it."""
    wish = re.fullmatch(r"(?:auto|all|cuda(?::(\d+))?)", device)
    if wish is None or _is_without_cuda():
        return
    number, context = ctypes.c_int(), ctypes.c_void_p()
    with contextlib.suppress(OSError):
        driver = ctypes.CDLL(DRIVER)
        if driver.cuInit(0) == 0 and not driver.cuDeviceGet(
            ctypes.byref(number), int(wish[1] or 0)
        ):
            driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), number)


def _is_without_cuda() -> bool:
    try:
        return re.search(r"\+(cpu|rocm|xpu)", version("torch")) is not None
    except PackageNotFoundError:
        return False
