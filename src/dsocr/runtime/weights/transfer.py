"""Copies tensors from safetensors files to a GPU in several threads, without changing them.

Each thread reads a few megabytes into pinned memory while the device fetches those before; reading
through a mapped file would take a page fault for every few of them.
"""

from __future__ import annotations

import json
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from dsocr.runtime.devices import make_current
from dsocr.runtime.spec import CheckpointError

PART_BYTES = 8 << 20
"""Read at once, at most. Every thread has two such buffers."""
NUM_THREADS = 4
"""More do not help: memory and the bus are shared."""
PROGRESS_SECONDS = 0.2

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A tensor, or a part of one: the bytes of a file and where they go."""

    file: Path
    offset: int
    target: Tensor
    """(bytes,) uint8."""

    @property
    def end(self) -> int:
        return self.offset + len(self.target)


@dataclass(slots=True)
class _Batch:
    """Pieces that follow one another in a file."""

    pieces: list[_Piece] = field(default_factory=list)

    @property
    def num_bytes(self) -> int:
        return self.pieces[-1].end - self.pieces[0].offset if self.pieces else 0

    def takes(self, piece: _Piece) -> bool:
        if not self.pieces:
            return True
        last = self.pieces[-1]
        follows = last.file == piece.file and last.end == piece.offset
        return follows and self.num_bytes + len(piece.target) <= PART_BYTES


class Transfer:
    """A copy in progress."""

    def __init__(self, tensors: Mapping[str, tuple[Path, Tensor]], device: torch.device) -> None:
        """Starts to fill contiguous tensors of that device, each from the file's tensor of that
        name and dtype. Raises `CheckpointError` for a file without a readable header."""
        batches = [*_batches(_pieces(tensors))]
        self.total_bytes = sum(batch.num_bytes for batch in batches)
        self._left, self._device = deque(batches), device
        self._done: deque[int] = deque()
        self._threads = ThreadPoolExecutor(NUM_THREADS, thread_name_prefix="weights")
        self._copies: list[Future[None]] = [
            self._threads.submit(self._copy_all) for _ in range(min(NUM_THREADS, len(batches)))
        ]

    @property
    def done_bytes(self) -> int:
        return sum(self._done)

    def wait(self, on_progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Returns when everything is on the device; `on_progress` gets the bytes that are, and all.
        Raises `CheckpointError` for a file that cannot be read or is too short."""
        pending = {*self._copies}
        while pending:
            done, pending = wait(pending, PROGRESS_SECONDS, FIRST_EXCEPTION)
            on_progress(self.done_bytes, self.total_bytes)
            for copy in done:
                if error := copy.exception():
                    self._left.clear()
                    raise error
        self._threads.shutdown()

    def _copy_all(self) -> None:
        make_current(self._device)
        files: dict[Path, BinaryIO] = {}
        buffers = [_Buffer(self._device) for _ in range(2)]
        try:
            with _own_stream(self._device), torch.inference_mode():
                while self._left:
                    try:
                        batch = self._left.popleft()
                    except IndexError:  # another thread took the last one
                        break
                    buffers.reverse()
                    buffers[0].copy(batch, files)
                    self._done.append(batch.num_bytes)
                for buffer in buffers:
                    buffer.wait()
        finally:
            for file in files.values():
                file.close()


class _Buffer:
    """Host memory that one batch at a time passes through."""

    def __init__(self, device: torch.device) -> None:
        self._memory = torch.empty(PART_BYTES, dtype=torch.uint8, pin_memory=device.type == "cuda")
        self._view = self._memory.numpy().data
        self._is_cuda = device.type == "cuda"
        self._copied: torch.cuda.Event | None = None

    def copy(self, batch: _Batch, files: dict[Path, BinaryIO]) -> None:
        """Reads a batch and enqueues its copies, once the last batch has left the buffer."""
        self.wait()
        first = batch.pieces[0]
        _read(first.file, first.offset, self._view[: batch.num_bytes], files)
        for piece in batch.pieces:
            start = piece.offset - first.offset
            part = self._memory[start : start + len(piece.target)]
            piece.target.copy_(part, non_blocking=True)
        if self._is_cuda:
            self._copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._copied.record()

    def wait(self) -> None:
        if self._copied is not None:
            self._copied.synchronize()


def _own_stream(device: torch.device) -> AbstractContextManager[object]:
    if device.type != "cuda":
        return nullcontext()
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return torch.cuda.stream(stream)


def _read(path: Path, offset: int, view: memoryview, files: dict[Path, BinaryIO]) -> None:
    try:
        if path not in files:
            files[path] = path.open("rb", buffering=0)
        files[path].seek(offset)
        while view:
            count = files[path].readinto(view)  # type: ignore[attr-defined]
            if not count:
                raise CheckpointError(f"{path.name} ends before its last tensor")
            view = view[count:]
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read: {error}") from error


def _pieces(tensors: Mapping[str, tuple[Path, Tensor]]) -> Iterator[_Piece]:
    offsets = {file: _offsets(file) for file in {file for file, _ in tensors.values()}}
    for name, (file, tensor) in tensors.items():
        start = offsets[file][name]
        for part in torch.split(tensor.detach().view(-1).view(torch.uint8), PART_BYTES):
            yield _Piece(file, start, part)
            start += len(part)


def _batches(pieces: Iterable[_Piece]) -> Iterator[_Batch]:
    batch = _Batch()
    for piece in sorted(pieces, key=lambda piece: (piece.file, piece.offset)):
        if not batch.takes(piece):
            yield batch
            batch = _Batch()
        batch.pieces.append(piece)
    if batch.pieces:
        yield batch


def _offsets(path: Path) -> dict[str, int]:
    """Where each tensor begins in a safetensors file."""
    try:
        with path.open("rb") as file:
            (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
            header = json.loads(file.read(length))
        begin = _LENGTH.size + length
        return {
            name: begin + entry["data_offsets"][0]
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise CheckpointError(f"{path.name} cannot be read: {error}") from error
