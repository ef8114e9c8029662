"""Options that take one word of a table, and those that several commands share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from dsocr.engines.registry import ALIASES, ENGINES


def choice(
    names: Iterable[str],
    *flags: str,
    help: str,
    default: str | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Any:
    """An option for one of these names, or an alias of one. `default` describes the default."""
    known = tuple(names)

    def check(value: str | None) -> str | None:
        value = (aliases or {}).get(value, value) if value else value
        if value is None or value in known:
            return value
        raise typer.BadParameter(f"{value!r} is not one of {', '.join(known)}.")

    return typer.Option(
        *flags,
        metavar="|".join(known),
        callback=check,
        help=help,
        show_default=default or False,
    )


EngineOption = Annotated[
    str | None,
    choice(
        ["auto", *ENGINES],
        help="Who reads. auto: native if the weights and torch are there, else ppocr.",
        aliases=ALIASES,
        default="DEEPSEEK_OCR_ENGINE, else auto",
    ),
]
