"""The worker's first steps: what need not wait for torch's import begins before it.

Importing torch takes seconds of one core. Meanwhile the driver opens the GPU, which takes half a
second more and needs nothing of torch.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
import threading

from dsocr.child import Channel, Header

DRIVER = "libcuda.so.1"


def main(channel: Channel, arguments: Header) -> None:
    threading.Thread(target=open_gpu, args=(arguments["device"],), daemon=True).start()
    from dsocr.runtime.worker import main as work  # imports torch

    work(channel, arguments)


def open_gpu(device: str) -> None:
    """Makes the context that torch will find and use. Where that fails torch says why."""
    wish = re.fullmatch(r"(?:auto|all|cuda(?::(\d+))?)", device)
    if wish is None:
        return
    number, context = ctypes.c_int(), ctypes.c_void_p()
    with contextlib.suppress(OSError):
        driver = ctypes.CDLL(DRIVER)
        if driver.cuInit(0) == 0 and not driver.cuDeviceGet(
            ctypes.byref(number), int(wish[1] or 0)
        ):
            driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), number)
