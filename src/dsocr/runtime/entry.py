"""Entry point of the worker process: opens the GPU while torch is imported.

Importing torch takes seconds of one core. Opening the GPU takes the driver half a second and does
not need torch, so it runs in a thread meanwhile.
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
    from dsocr.runtime.worker import main as run_worker  # imports torch

    run_worker(channel, arguments)


def open_gpu(device: str) -> None:
    """Creates the CUDA context that torch will use. Does nothing if torch is a build without CUDA.
    Errors are ignored: torch reports them itself."""
    requested = re.fullmatch(r"(?:auto|cuda(?::(\d+))?)", device)
    if requested is None or _is_without_cuda():
        return
    number, context = ctypes.c_int(), ctypes.c_void_p()
    with contextlib.suppress(OSError):
        driver = ctypes.CDLL(DRIVER)
        if driver.cuInit(0) == 0 and not driver.cuDeviceGet(
            ctypes.byref(number), int(requested[1] or 0)
        ):
            driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), number)


def _is_without_cuda() -> bool:
    try:
        return re.search(r"\+(cpu|rocm|xpu)", version("torch")) is not None
    except PackageNotFoundError:
        return False
