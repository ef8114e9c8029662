"""Options with a fixed set of values, and options that several commands share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, get_args

import typer

from dsocr.engines.registry import ALIASES, ENGINES
from dsocr.exports import FORMATS
from dsocr.exports.options import CHOICES, MAX_CHUNK, MIN_CHUNK, ExportOptions
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

MathOption = Annotated[
    str,
    choice(
        CHOICES["math"],
        help="Formulas in markdown: between backslashed brackets, or between dollars.",
        default="brackets",
    ),
]
TablesOption = Annotated[str, choice(CHOICES["tables"], help="Tables in markdown.", default="html")]
FiguresOption = Annotated[
    str,
    choice(
        CHOICES["figures"],
        help="Figures of markdown: files in a folder beside the output, `scan-images` for "
        "`scan.md`, or images inside the text. Standard output has the links alone.",
        default="linked",
    ),
]
BreaksOption = Annotated[
    str,
    choice(
        CHOICES["breaks"],
        help="Between the pages of markdown: a rule, a comment with the page's number, or an "
        "empty line.",
        default="rule",
    ),
]
FrontmatterOption = Annotated[
    bool, typer.Option("--frontmatter", help="Begin markdown with YAML front matter.")
]
TocOption = Annotated[bool, typer.Option("--toc", help="Begin with a table of contents.")]
JoinOption = Annotated[
    bool, typer.Option("--join", help="Join paragraphs and tables that run over a page's end.")
]
RepairOption = Annotated[
    bool, typer.Option("--repair", help="Repair line breaks in paragraphs and broken lists.")
]
HeadingsOption = Annotated[
    bool, typer.Option("--headings", help="Make the levels of headings consistent.")
]
CaptionsOption = Annotated[
    bool, typer.Option("--captions", help="Put captions beside their figures and tables.")
]
UnescapeOption = Annotated[bool, typer.Option("--unescape", help="Undo double escapes.")]
RedactOption = Annotated[
    list[str] | None,
    typer.Option(
        "--redact",
        metavar="PATTERN",
        help="Take out what matches, from the text and the pictures: words, "
        "`/a regular expression/`, or email, number, iban, phone or card. Can be repeated.",
        show_default=False,
    ),
]
ChunkSizeOption = Annotated[
    int,
    typer.Option(min=MIN_CHUNK, max=MAX_CHUNK, help="Most characters of a chunk (`-f chunks`)."),
]
ChunkOverlapOption = Annotated[
    int, typer.Option(min=0, help="Most characters that a chunk repeats of the one before.")
]


LOCAL_URL = "http://127.0.0.1:8000"
UrlOption = Annotated[
    str,
    typer.Option(
        "--url",
        metavar="URL",
        envvar="DSOCR_URL",
        show_envvar=False,
        help="URL of the service.",
        show_default="DSOCR_URL, else http://127.0.0.1:8000",
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="KEY",
        envvar="DSOCR_KEY",
        show_envvar=False,
        help="API key, if the service needs one. Prefer the variable: other users of this machine "
        "can see a command line.",
        show_default="DSOCR_KEY",
    ),
]


def export_options(arguments: Mapping[str, Any]) -> ExportOptions:
    """Those of a command's arguments that are options of exports. Raises `BadRequest`."""
    chosen = {each.name: arguments[each.name] for each in dataclasses.fields(ExportOptions)}
    return ExportOptions(**{**chosen, "redact": tuple(chosen["redact"] or ())})
