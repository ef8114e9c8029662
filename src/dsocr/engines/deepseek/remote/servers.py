"""What is known of each server program: how it takes a prompt, its options, its health check.

The facts are those of the programs' sources: vLLM (`entrypoints/openai`, `models/deepseek_ocr`),
SGLang (`parser/conversation`, `sampling/custom_logit_processor`), llama.cpp (`tools/server`,
`tools/mtmd`), Ollama (`openai`, `models/deepseekocr`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dsocr.engines.base import ModeSpec
from dsocr.engines.deepseek.modes import MODES
from dsocr.engines.registry import ENGINES
from dsocr.types import Mode

MAX_SIDES: dict[Mode, int] = {"small": 640, "tiny": 512}
"""Longest side of the picture that is sent in these modes. A picture of at most 640 pixels gets no
tiles from a server that prepares pictures itself."""
CONTEXT_TOKENS = 8192


def _prepared_modes() -> dict[Mode, ModeSpec]:
    """The modes of a server that prepares pictures itself, always as gundam does."""
    reduced = {
        mode: dataclasses.replace(
            MODES[mode],
            description=f"The page reduced to {side} px, in one view: "
            f"{MODES['base'].vision_tokens[0]} vision tokens.",
            base_size=MODES["base"].base_size,
            vision_tokens=MODES["base"].vision_tokens,
        )
        for mode, side in MAX_SIDES.items()
    }
    return {"gundam": MODES["gundam"], **reduced}


PREPARED: Mapping[Mode, ModeSpec] = _prepared_modes()
ONLY_GUNDAM: Mapping[Mode, ModeSpec] = {"gundam": MODES["gundam"]}


@dataclass(frozen=True, slots=True)
class ServerKind:
    """One server program."""

    name: str
    owners: tuple[str, ...] = ()
    """`owned_by` of the models that it lists."""
    health_path: str = ""
    """A route that says whether the engine lives, beside the list of models."""
    takes_image_word: bool = False
    """Whether `<image>` stands in the prompt; else the server puts the picture before it."""
    takes_mode: bool = False
    """Whether the request names the mode; else the server prepares pictures in its own way."""
    no_repeat: Literal["", "vllm", "sglang"] = ""
    """In which fields the no-repeat rule is sent; empty: it has none."""
    top_logprobs: int | None = None
    """With which number it gives the log-probability of each token; None: it gives none."""
    max_tokens: int | None = None
    """Sent with requests that have no limit, where the server would generate without end."""
    modes: Mapping[Mode, ModeSpec] = dataclasses.field(default_factory=lambda: PREPARED)


KINDS: dict[str, ServerKind] = {
    kind.name: kind
    for kind in (
        ServerKind(
            "vllm",
            owners=("vllm",),
            health_path="/health",
            takes_image_word=True,
            no_repeat="vllm",
            top_logprobs=0,
        ),
        ServerKind(
            "sglang",
            owners=("sglang",),
            health_path="/health",
            no_repeat="sglang",
            top_logprobs=0,
        ),
        ServerKind(
            "llamacpp",
            owners=("llamacpp",),
            health_path="/health",
            top_logprobs=1,
            max_tokens=CONTEXT_TOKENS,
        ),
        ServerKind(
            "ollama",
            owners=("library",),
            top_logprobs=0,
            max_tokens=CONTEXT_TOKENS,
            modes=ONLY_GUNDAM,
        ),
        ServerKind(
            "dsocr",
            owners=tuple(ENGINES),
            health_path="/ready",
            takes_image_word=True,
            takes_mode=True,
            no_repeat="vllm",
            modes=MODES,
        ),
        ServerKind("openai", max_tokens=CONTEXT_TOKENS),
    )
}


def kind_of_owner(owner: str) -> ServerKind:
    """The program that lists models with this `owned_by`; `openai` for any other."""
    found = (kind for kind in KINDS.values() if owner in kind.owners)
    return next(found, KINDS["openai"])
