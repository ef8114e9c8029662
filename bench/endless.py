"""Pages that write as many tokens as they may: what random weights say is nothing but repetition.

NativeEngine(config, worker="bench.endless:main")
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dsocr.process.child import Channel, Header
from dsocr.runtime import worker
from dsocr.runtime.text.repetition import RepetitionWatch
from dsocr.runtime.text.tokenizer import Tokenizer


def main(channel: Channel, arguments: Header) -> None:
    """The engine's process, with pages that do not end."""
    heed_no_watch()
    worker.Tokenizer = endless  # type: ignore[misc, assignment]
    worker.main(channel, arguments)


def endless(folder: Path) -> Tokenizer:
    """Its tokenizer, with an end token that no score belongs to."""
    tokenizer = Tokenizer(folder)
    tokenizer.special = replace(tokenizer.special, eos=-1)
    return tokenizer


def heed_no_watch() -> None:
    """The watch looks at every token from now on and says nothing."""
    push = RepetitionWatch.push

    def look(watch: RepetitionWatch, token: int) -> None:
        push(watch, token)

    RepetitionWatch.push = look  # type: ignore[method-assign, assignment]
