"""Tensors copied from files byte by byte, here to the host's own memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from dsocr.runtime.spec import CheckpointError
from dsocr.runtime.weights import transfer
from dsocr.runtime.weights.transfer import Transfer

CPU = torch.device("cpu")


@pytest.fixture
def tensors(tmp_path: Path) -> dict[str, Tensor]:
    """In two files; some follow one another, one is larger than what is read at once."""
    made = {
        "large": torch.randn(70, 33),
        "half": torch.randn(11, 5).bfloat16(),
        "bytes": torch.arange(17, dtype=torch.uint8),
        "one": torch.randn(1),
    }
    save_file(made, tmp_path / "a.safetensors")
    save_file({"other": torch.randn(9, 9)}, tmp_path / "b.safetensors")
    return made


def destinations(folder: Path, tensors: dict[str, Tensor]) -> dict[str, tuple[Path, Tensor]]:
    file = folder / "a.safetensors"
    return {name: (file, torch.empty_like(tensor)) for name, tensor in tensors.items()}


@pytest.mark.parametrize("part_bytes", [64, 1 << 20])
def test_tensors_of_any_size_arrive_unchanged(
    tmp_path: Path, tensors: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch, part_bytes: int
) -> None:
    monkeypatch.setattr(transfer, "PART_BYTES", part_bytes)
    to = destinations(tmp_path, tensors)
    to["other"] = (tmp_path / "b.safetensors", torch.empty(9, 9))
    seen: list[tuple[int, int]] = []
    copy = Transfer(to, CPU)
    copy.wait(lambda done, total: seen.append((done, total)))
    for name, tensor in tensors.items():
        assert torch.equal(to[name][1], tensor)
    assert to["other"][1].isfinite().all()
    assert seen[-1] == (copy.total_bytes, sum(t.nbytes for _, t in to.values()))


def test_rows_of_a_larger_tensor_are_filled_in_place(
    tmp_path: Path, tensors: dict[str, Tensor]
) -> None:
    stacked = torch.zeros(3, 70, 33)
    Transfer({"large": (tmp_path / "a.safetensors", stacked[1])}, CPU).wait()
    assert torch.equal(stacked[1], tensors["large"])
    assert not stacked[0].any() and not stacked[2].any()


def test_a_file_that_ends_early_is_named(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    copy = tmp_path / "a.safetensors"
    copy.write_bytes(copy.read_bytes()[:-20])
    with pytest.raises(CheckpointError, match=r"a\.safetensors ends before its last tensor"):
        Transfer(destinations(tmp_path, tensors), CPU).wait()


def test_nothing_to_copy_ends_at_once() -> None:
    Transfer({}, CPU).wait()
