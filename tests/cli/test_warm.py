"""`dsocr warm` with a stand-in for the compiling process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dsocr.engines.deepseek import warm
from dsocr.process.child import ChildDied
from dsocr.runtime.compilation.plan import CompilationPlan
from tests.cli.conftest import Dsocr


class Compilation:
    """Compiles nothing and marks it as compiled."""

    failed: tuple[str, ...] = ()
    reason = ""

    def __init__(self, plan: CompilationPlan) -> None:
        self._plan = plan

    def wait(self, on_progress: Callable[[int, int], None]) -> list[str]:
        if self.reason:
            raise ChildDied(self.reason)
        on_progress(0, 2)
        on_progress(2, 2)
        self._plan.mark(2, [*self.failed])
        return [*self.failed]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "kernels"
    monkeypatch.setattr(warm, "KernelCompilation", Compilation)
    monkeypatch.setattr(warm, "is_installed", lambda name: True)
    monkeypatch.setenv("DEEPSEEK_OCR_KERNEL_CACHE", str(folder))
    monkeypatch.setenv("DEEPSEEK_OCR_MODEL_PATH", str(tmp_path / "no weights"))
    monkeypatch.setenv("TRITON_CACHE_DIR", "")  # restored after the test
    return folder


def test_the_cache_is_filled_once_for_a_card_that_is_not_here(dsocr: Dsocr, cache: Path) -> None:
    first = dsocr("warm", "--arch", "sm_90")
    assert first.status == 0
    assert f"The kernel cache for sm_90 in {cache} is complete." in first.err
    assert "was complete already" in dsocr("warm", "--arch", "90").err
    assert "is complete." in dsocr("warm", "--arch", "sm_86").err


def test_an_unknown_architecture_is_reported_in_one_line(dsocr: Dsocr) -> None:
    ran = dsocr("warm", "--arch", "hopper")
    assert ran.status == 1
    assert ran.err.startswith("dsocr: 'hopper' is not a known GPU architecture; use one of sm_75")


def test_without_a_gpu_an_architecture_must_be_named(
    dsocr: Dsocr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "open_device", lambda device: None)
    ran = dsocr("warm")
    assert ran.status == 1 and "--arch sm_90" in ran.err


def test_what_is_missing_or_fails_is_said(dsocr: Dsocr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Compilation, "failed", ("gemv._gemv",))
    ran = dsocr("warm", "--arch", "sm_90")
    assert ran.status == 1 and "Not compiled: gemv._gemv." in ran.err
    monkeypatch.setattr(Compilation, "reason", "There is no C compiler")
    ran = dsocr("warm", "--arch", "sm_86")
    assert ran.status == 1
    assert ran.err.startswith("dsocr: The kernels could not be compiled: There is no C compiler")
    monkeypatch.setattr(warm, "is_installed", lambda name: name != "triton")
    assert "Not installed: triton." in dsocr("warm", "--arch", "sm_86").err
