"""The no-repeat n-gram rule: which tokens would complete an n-gram already seen (spec 6, 10.4).

All forms of the released code and scripts. The n-grams are indexed as the sequence grows, so a
step costs one look-up whatever the length. Knows no tensors.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from dsocr.types import NoRepeat


class NoRepeatIndex:
    """The n-grams of one sequence and the tokens that the no-repeat rule bans next."""

    def __init__(
        self,
        no_repeat: NoRepeat,
        *,
        prompt: Sequence[int] = (),
        exempt: Set[int] = frozenset(),
        covers_prompt: bool = False,
    ) -> None:
        """`covers_prompt`: a rule with a window covers the prompt too and exempts no token, as one
        without a window does."""
        self._ngram, self._window = no_repeat.ngram, no_repeat.window
        self._covers_all = covers_prompt or self._window is None
        self._exempt = frozenset() if self._covers_all else frozenset(exempt)
        self._tokens: list[int] = []
        # the n-1 tokens before -> each token that followed and where the latest such n-gram starts
        self._followers: dict[tuple[int, ...], dict[int, int]] = {}
        if self._covers_all:
            for token in prompt:
                self.push(token)

    def push(self, token: int) -> int | None:
        """Appends a token of the sequence. Returns where the n-gram that it completes started
        before; None if it is new."""
        self._tokens.append(token)
        start = len(self._tokens) - self._ngram
        if start < 0:
            return None
        followers = self._followers.setdefault(tuple(self._tokens[start:-1]), {})
        previous = followers.get(token)
        followers[token] = start
        return previous

    def _pop(self, previous: int | None) -> None:
        """Undoes the last `push`, which returned `previous`."""
        token = self._tokens.pop()
        start = len(self._tokens) + 1 - self._ngram
        if start < 0:
            return
        followers = self._followers[tuple(self._tokens[start:])]
        if previous is None:
            del followers[token]
        else:
            followers[token] = previous

    def banned_after(self, tokens: Sequence[int]) -> list[int]:
        """Tokens banned as the next one if these come before it."""
        undo = [self.push(token) for token in tokens]
        banned = self.banned()
        for previous in reversed(undo):
            self._pop(previous)
        return banned

    def banned(self) -> list[int]:
        """Tokens banned as the next one."""
        if not self._covers_all and self._ngram == 1:
            return []  # upstream compares with out[-0:], the whole history, and finds nothing
        length = len(self._tokens)
        last = tuple(self._tokens[max(0, length - self._ngram + 1) :])
        first_start = 0 if self._window is None else length - self._window
        return [
            token
            for token, start in self._followers.get(last, {}).items()
            if start >= first_start and token not in self._exempt
        ]
