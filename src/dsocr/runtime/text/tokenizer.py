"""Text to token ids and back (spec 4). Special tokens are found by their text, not by number."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path

import tokenizers

from dsocr.runtime.spec import CheckpointError

BOS = "<｜begin▁of▁sentence｜>"
EOS = "<｜end▁of▁sentence｜>"
IMAGE = "<image>"
CELLS = ("<td>", "</td>")
GROUNDING = ("<|grounding|>", "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>")


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
        self._bytes: dict[int, bytes] = {}
        """Cache of `token_bytes`: a look-up in the library takes longer."""
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
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

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
        known = self._bytes.get(token)
        if known is None:
            known = self._bytes[token] = self._decode_one(token)
        return known

    def _decode_one(self, token: int) -> bytes:
        word = self._tokenizer.id_to_token(token)
        if word is None:
            return b""
        try:
            return word.translate(_BYTES).encode("latin-1")
        except UnicodeEncodeError:  # an added token, stored as plain text
            return word.encode()


class Detokenizer:
    """Incremental detokenization: the returned texts, joined, equal `Tokenizer.decode`.

    A character whose bytes are spread over several tokens is returned with the last of them; a
    special token is a single token. So neither is ever split. (tokenizers' `DecodeStream` drops a
    character that is incomplete at the end, and takes six times as long.)
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token: int) -> str:
        """The text that this token completes, often empty."""
        return self._decoder.decode(self._tokenizer.token_bytes(token))

    def finish(self) -> str:
        """The replacement character if the output ends inside a character, else an empty text."""
        return self._decoder.decode(b"", final=True)


def _bytes_of_characters() -> dict[int, int]:
    """Byte-level BPE writes each byte as a printable character: the byte's own if it is printable,
    else the next one from 256 on. Unprintable characters map to one that encodes to no byte."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return dict.fromkeys(others, 0xFFFF) | {256 + place: byte for place, byte in enumerate(others)}


_BYTES = _bytes_of_characters()
