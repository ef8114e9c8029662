"""A worker whose pages end at their token limit: the output of random weights always repeats.

NativeEngine(config, worker="bench.model.endless:main")
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dsocr.process.child import Channel, Header
from dsocr.runtime import worker
from dsocr.runtime.text.repetition import RepetitionDetector
from dsocr.runtime.text.tokenizer import Tokenizer


def main(channel: Channel, arguments: Header) -> None:
    """The engine's process; its pages end at their token limit."""
    ignore_repetition()
    vars(worker)["Tokenizer"] = endless_tokenizer
    worker.main(channel, arguments)


def endless_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of `folder` with an end token id that the model cannot choose."""
    tokenizer = Tokenizer(folder)
    tokenizer.special = replace(tokenizer.special, eos=-1)
    return tokenizer


def ignore_repetition() -> None:
    """Makes the repetition check run on every token and ignores its result."""
    push = RepetitionDetector.push

    def look(detector: RepetitionDetector, token: int) -> None:
        push(detector, token)

    RepetitionDetector.push = look  # type: ignore[method-assign, assignment]
