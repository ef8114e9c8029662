"""Idle work must not fail the runner. Steps that do not fit are tested with the scheduler."""

from __future__ import annotations

import pytest
import torch

from dsocr.runtime.execution.oom_split import OomSplittingRunner


class IdleRunner:
    """Has this many units of idle work, then fails or has none."""

    def __init__(self, *, left: int, fails: Exception | None = None) -> None:
        self.left, self.fails, self.asked = left, fails, 0

    def run_idle_work(self) -> bool:
        self.asked += 1
        if self.left:
            self.left -= 1
            return True
        if self.fails is not None:
            raise self.fails
        return False


def idle_work(runner: IdleRunner, calls: int) -> list[bool]:
    runner_under_test = OomSplittingRunner(runner)  # type: ignore[arg-type]
    return [runner_under_test.run_idle_work() for _ in range(calls)]


@pytest.mark.parametrize(
    "fails",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_idle_work_that_does_not_fit_is_not_tried_again(fails: Exception) -> None:
    runner = IdleRunner(left=2, fails=fails)
    assert idle_work(runner, 5) == [True, True, False, False, False]
    assert runner.asked == 3


def test_idle_work_requested_later_is_done_later() -> None:
    runner = IdleRunner(left=1)
    runner_under_test = OomSplittingRunner(runner)  # type: ignore[arg-type]
    assert [runner_under_test.run_idle_work() for _ in range(3)] == [True, False, False]
    runner.left = 1
    assert runner_under_test.run_idle_work()


def test_other_errors_of_idle_work_are_raised() -> None:
    with pytest.raises(RuntimeError, match="illegal"):
        idle_work(IdleRunner(left=0, fails=RuntimeError("an illegal memory access")), 1)
