"""Streams a page's text across repeated attempts without sending any part twice."""

from __future__ import annotations

from collections.abc import Callable


class TextStream:
    """Passes text on to `on_text` as it arrives.

    After `restart` a second attempt produces the text again from the beginning. Text it repeats is
    not passed on again; where it differs from what was passed on, nothing more is.
    """

    __slots__ = ("_delivered", "_is_repeat", "_on_text", "text")

    def __init__(self, on_text: Callable[[str], None] | None) -> None:
        self._on_text = on_text
        self._delivered = ""
        """Text that earlier attempts have passed on, or this one where it repeats them."""
        self._is_repeat = False
        self.text = ""
        """Text of the present attempt."""

    def add(self, piece: str) -> None:
        """Raises what `on_text` raises."""
        self.text += piece
        if self._on_text is None:
            return
        if self._is_repeat:
            self._pass_on_news()
        elif piece:
            self._on_text(piece)

    def restart(self) -> None:
        if not self._is_repeat:
            self._delivered = self.text
        self._is_repeat = True
        self.text = ""

    def _pass_on_news(self) -> None:
        assert self._on_text is not None
        if len(self.text) > len(self._delivered) and self.text.startswith(self._delivered):
            new = self.text[len(self._delivered) :]
            self._delivered = self.text
            self._on_text(new)
