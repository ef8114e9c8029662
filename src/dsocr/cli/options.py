"""Options with a fixed set of values, and options that several commands share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, get_args

import typer

from dsocr.engines.registry import ALIASES, ENGINES
from dsocr.exports import FORMATS
from dsocr.types import Headers


def choice(
    names: Iterable[str],
    *flags: str,
    help: str,
    default: str | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Any:
    """An option whose value is one of `names`, or an alias of one. `default` describes the value
    that is used if the option is missing."""
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


def format_option(help: str) -> Any:
    """The option `--format`; `output.planned_format` has the value used where it is missing."""
    return choice(
        (known.key for known in FORMATS),
        "--format",
        "-f",
        help=help,
        default="from the extension of -o, else markdown",
    )


EngineOption = Annotated[
    str | None,
    choice(
        ["auto", *ENGINES],
        aliases=ALIASES,
        help="The engine. auto: native if its weights and torch are there, else ppocr.",
        default="DEEPSEEK_OCR_ENGINE, else auto",
    ),
]

LanguagesOption = Annotated[
    str | None,
    typer.Option(
        help="Languages of the pages, such as `ko,en`: only the networks of these are tried. "
        "Only the embedded engine uses them.",
        show_default="found on each page",
    ),
]
HeadersOption = Annotated[
    str,
    choice(
        get_args(Headers),
        help="Running heads, footers and page numbers that repeat over the pages: omit leaves them "
        "out of the text, keep keeps them.",
        default="omit",
    ),
]
