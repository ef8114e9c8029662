"""Entry point of the worker process: opens the GPU and prepares files while torch is imported.

Importing torch takes seconds of one core. What needs no torch runs in threads meanwhile: the driver
opens the GPU in half a second, kernels that are not in the cache are compiled in a process of their
own, and the system reads the weights' files. The vocabulary is read while torch's libraries load.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from dsocr.process.child import Channel, Header
from dsocr.process.progress import ProgressReporter
from dsocr.runtime.compilation.cache import use_kernel_cache
from dsocr.runtime.compilation.child import KernelCompilation, start_compilation
from dsocr.runtime.compilation.plan import plan_compilation
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.kernels.card import card_of, load_driver, open_device
from dsocr.runtime.torch_import import import_torch, start_loading_libraries

if TYPE_CHECKING:
    from dsocr.runtime.text.tokenizer import Tokenizer


def main(channel: Channel, arguments: Header) -> None:
    gc.disable()  # a start makes many objects and little garbage; the worker enables it again
    ProgressReporter(channel.send).report("importing torch")
    config = RuntimeConfig.from_arguments(arguments)
    load_driver()  # before other libraries are: a thread would wait for them with the lock held
    gpu = ThreadPoolExecutor(1, thread_name_prefix="gpu").submit(prepare_gpu, config)
    if config.model_path is not None:
        threading.Thread(target=read_ahead, args=(config.model_path,), daemon=True).start()
    vocabulary = _load_vocabulary(config.model_path)
    import_torch()
    from dsocr.runtime.worker import main as run_worker

    run_worker(channel, arguments, compilation=gpu, vocabulary=vocabulary)


def _load_vocabulary(folder: Path | None) -> Future[Tokenizer]:
    """Reads the vocabulary, which keeps the interpreter busy, while torch's libraries are loaded,
    which does not. The result has its error, if there was one."""
    from dsocr.runtime.text.tokenizer import Tokenizer  # loads a library itself

    loading = start_loading_libraries()
    vocabulary: Future[Tokenizer] = Future()
    try:
        assert folder is not None
        vocabulary.set_result(Tokenizer(folder))
    except Exception as error:
        vocabulary.set_exception(error)
    loading.join()
    return vocabulary


def prepare_gpu(config: RuntimeConfig) -> KernelCompilation | None:
    """Has kernels compiled that are not in the cache, and creates the CUDA context that torch will
    use. Does nothing if torch is a build without CUDA or there is no GPU: torch reports it itself.
    """
    opened = None if _is_without_cuda() else open_device(config.device)
    if opened is None:
        return None
    driver, device = opened
    compilation = None
    if config.kernels:
        folder = use_kernel_cache(config.kernel_cache)
        compilation = start_compilation(plan_compilation(config, card_of(driver, device), folder))
    context = ctypes.c_void_p()
    driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), device)
    return compilation


def read_ahead(folder: Path) -> None:
    """Asks the system to read the weights into memory, as far as they are not there."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in sorted(folder.glob("*.safetensors")):
        with contextlib.suppress(OSError), path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)


def _is_without_cuda() -> bool:
    try:
        return re.search(r"\+(cpu|rocm|xpu)", version("torch")) is not None
    except PackageNotFoundError:
        return False
