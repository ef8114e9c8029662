"""Text to token ids and back (spec 4). Special tokens are found by their text, not by number."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import numpy as np
import tokenizers

from dsocr.runtime.spec import CheckpointError

BOS = "<｜begin▁of▁sentence｜>"
EOS = "<｜end▁of▁sentence｜>"
IMAGE = "<image>"
CELLS = ("<td>", "</td>")
GROUNDING = ("<|grounding|>", "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>")


PROMPTS = 64
"""Texts whose ids are remembered: most pages have one of a few prompts."""


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """Ids of the tokens that the runtime treats specially."""

    bos: int
    eos: int
    image: int
    """The placeholder whose embedding is replaced by an image feature."""
    cells: frozenset[int]
    """`<td>` and `</td>`, exempt from the windowed no-repeat rule: tables repeat them."""


class Tokenizer:
    """The checkpoint's byte-level BPE. Raises `CheckpointError` for a file that cannot be read or
    lacks a special token."""

    def __init__(self, folder: Path) -> None:
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise CheckpointError(f"{path} is missing")
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception for a broken file
            raise CheckpointError(f"{path} cannot be read: {error}") from error
        self._bytes = _TokenBytes(self._tokenizer)
        self._encoded = lru_cache(maxsize=PROMPTS)(self._encode)
        wanted = (BOS, EOS, IMAGE, *CELLS, *GROUNDING)
        found = {word: self._tokenizer.token_to_id(word) for word in wanted}
        ids = {word: token for word, token in found.items() if token is not None}
        missing = [word for word in wanted if word not in ids]
        if missing:
            raise CheckpointError(f"{path} lacks the tokens {', '.join(missing)}")
        self.special = SpecialTokens(
            bos=ids[BOS], eos=ids[EOS], image=ids[IMAGE], cells=frozenset(ids[c] for c in CELLS)
        )

    @property
    def vocab_size(self) -> int:
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def encode(self, text: str) -> list[int]:
        """Ids of the text; added tokens inside it become their single ids. No bos, no eos."""
        return list(self._encoded(text))

    def encode_once(self, text: str) -> list[int]:
        """As `encode`, for a long text that does not come again: its ids are not remembered."""
        return list(self._encode(text))

    def encode_all_once(self, texts: Sequence[str]) -> list[list[int]]:
        """As `encode_once`, for several texts; other threads run meanwhile."""
        encoded = self._tokenizer.encode_batch([*texts], add_special_tokens=False)
        return [one.ids for one in encoded]

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: list[int]) -> str:
        """The text with its special tokens."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=False))

    def token_of(self, word: str) -> int | None:
        """The id of the token with this text, if there is one. ASCII only: other characters are
        stored as their bytes."""
        token: int | None = self._tokenizer.token_to_id(word)
        return token

    def token_bytes(self, token: int) -> bytes:
        """UTF-8 bytes that a token adds to the text; empty for ids that pad the vocabulary."""
        return self._bytes[token]

    def join_bytes(self, tokens: Iterable[int]) -> bytes:
        """The bytes of consecutive tokens."""
        return b"".join(map(self._bytes.__getitem__, tokens))

    def text_ends(self, tokens: Sequence[int]) -> list[int]:
        """Length of the text, in characters, after each token: of what `Detokenizer.push` has
        returned by then."""
        parts = [*map(self._bytes.__getitem__, tokens)]
        ends = [*accumulate(map(len, parts))]
        data = b"".join(parts)
        if data.isascii():
            return ends
        if not _is_utf8(data):
            detokenizer = Detokenizer(self)
            return [*accumulate(len(detokenizer.push((token,))) for token in tokens)]
        codes = np.frombuffer(data, np.uint8)
        begins = np.append((codes & 0xC0) != 0x80, True)  # whether a character begins at this byte
        complete = np.append(0, np.cumsum(begins[1:]))  # characters in so many bytes
        counts: list[int] = complete[ends].tolist()
        return counts


class _TokenBytes(dict[int, bytes]):
    """UTF-8 bytes by token. A look-up in the library takes longer."""

    def __init__(self, tokenizer: tokenizers.Tokenizer) -> None:
        self._tokenizer = tokenizer

    def __missing__(self, token: int) -> bytes:
        word = self._tokenizer.id_to_token(token)
        self[token] = b"" if word is None else _bytes_of(word)
        return self[token]


class Detokenizer:
    """Incremental detokenization: the returned texts, joined, equal `Tokenizer.decode`.

    A character whose bytes are spread over several tokens is returned with the last of them; a
    special token is a single token. So neither is ever split. (tokenizers' `DecodeStream` drops a
    character that is incomplete at the end, and takes six times as long.)
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._is_within_character = False

    def push(self, tokens: Iterable[int]) -> str:
        """The text that these tokens complete, often empty."""
        data = self._tokenizer.join_bytes(tokens)
        if data.isascii() and not self._is_within_character:
            return data.decode("ascii")
        text = self._decoder.decode(data)
        self._is_within_character = bool(self._decoder.getstate()[0])
        return text

    def finish(self) -> str:
        """The replacement character if the output ends inside a character, else an empty text."""
        return self._decoder.decode(b"", final=True)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _bytes_of(word: str) -> bytes:
    try:
        return word.translate(_BYTES).encode("latin-1")
    except UnicodeEncodeError:  # an added token, stored as plain text
        return word.encode()


def _bytes_of_characters() -> dict[int, int]:
    """Byte-level BPE writes each byte as a printable character: the byte's own if it is printable,
    else the next one from 256 on. Unprintable characters map to one that encodes to no byte."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return dict.fromkeys(others, 0xFFFF) | {256 + place: byte for place, byte in enumerate(others)}


_BYTES = _bytes_of_characters()
