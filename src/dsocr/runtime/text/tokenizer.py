"""Text to token ids and back (spec 4). Special tokens are found by their words, not by number."""

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
    """Ids of the tokens the runtime acts upon."""

    bos: int
    eos: int
    image: int
    """The placeholder that image features take the place of."""
    cells: frozenset[int]
    """`<td>` and `</td>`: a table repeats them by right."""


class Tokenizer:
    """The checkpoint's byte-level BPE. Raises `CheckpointError` for a broken or foreign file."""

    def __init__(self, folder: Path) -> None:
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise CheckpointError(f"{path} is missing")
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception for a broken file
            raise CheckpointError(f"{path} cannot be read: {error}") from error
        self._bytes: dict[int, bytes] = {}
        """Remembered: a page is spelled token by token, and asking the library takes longer."""
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
        """The token that is spelled so, where there is one. Of ASCII only: other characters are
        spelled by their bytes."""
        token: int | None = self._tokenizer.token_to_id(word)
        return token

    def token_bytes(self, token: int) -> bytes:
        """What one token adds to the text; nothing for the ids that pad the vocabulary."""
        known = self._bytes.get(token)
        if known is None:
            known = self._bytes[token] = self._spell(token)
        return known

    def _spell(self, token: int) -> bytes:
        word = self._tokenizer.id_to_token(token)
        if word is None:
            return b""
        try:
            return word.translate(_BYTES).encode("latin-1")
        except UnicodeEncodeError:  # an added token, spelled as it is
            return word.encode()


class Detokenizer:
    """Tokens to text as they come; what is given out is never taken back.

    A character whose bytes are spread over tokens waits for the last of them, and a special token
    is one token, so neither is ever cut. The pieces add up to what `Tokenizer.decode` gives.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token: int) -> str:
        """The text that this token completes, often empty."""
        return self._decoder.decode(self._tokenizer.token_bytes(token))

    def finish(self) -> str:
        """What is left of a character cut off by the end."""
        return self._decoder.decode(b"", final=True)


def _bytes_of_characters() -> dict[int, int]:
    """Byte-level BPE spells bytes as printable characters: itself, or the next free above 255. The
    characters it passes over become one that is no byte."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return dict.fromkeys(others, 0xFFFF) | {256 + place: byte for place, byte in enumerate(others)}


_BYTES = _bytes_of_characters()
