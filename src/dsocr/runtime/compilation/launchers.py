"""The C code by which Triton launches a compiled kernel: compiled ahead as well, also on a machine
without a CUDA driver, such as the one that builds a container image."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_LIBRARY = "libcuda.so.1"
_VARIABLE = "TRITON_LIBCUDA_PATH"
"""Where Triton looks for the driver's library first."""


class NoCompiler(Exception):
    """The machine has no C compiler, which Triton needs."""


@contextmanager
def driver_to_link() -> Iterator[None]:
    """Makes sure that launchers can be linked. Without a driver they are linked to an empty library
    of its name, and not loaded. Raises `NoCompiler`."""
    from triton.backends.nvidia.driver import library_dirs

    if _compiler() is None:
        raise NoCompiler("There is no C compiler (gcc or clang), which Triton needs.")
    try:
        library_dirs()
    except (AssertionError, OSError, subprocess.SubprocessError):
        with tempfile.TemporaryDirectory() as folder:
            _make_empty_library(Path(folder) / _LIBRARY)
            with _linked_with(folder):
                yield
    else:
        yield


def build_driver_code() -> None:
    """Builds Triton's own code for the driver into the cache."""
    from triton.backends.nvidia.driver import CudaUtils

    CudaUtils()


def build_launcher(compiled: Any) -> None:
    """Builds the launcher of a compiled kernel into the cache."""
    from triton.backends.nvidia.driver import CudaLauncher

    CudaLauncher(compiled.src, compiled.metadata)


class _NotLoaded:
    """A module that was built and cannot be loaded here."""

    def __getattr__(self, name: str) -> Any:
        return None


@contextmanager
def _linked_with(folder: str) -> Iterator[None]:
    from triton.runtime import build

    load = build._load_module_from_path
    build._load_module_from_path = lambda name, path: _NotLoaded()
    os.environ[_VARIABLE] = folder
    try:
        yield
    finally:
        del os.environ[_VARIABLE]
        build._load_module_from_path = load


def _compiler() -> str | None:
    return os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")


def _make_empty_library(path: Path) -> None:
    compiler = _compiler()
    assert compiler is not None
    options = ["-shared", f"-Wl,-soname,{path.name}", "-o", str(path), "-x", "c", os.devnull]
    subprocess.run([compiler, *options], check=True)
