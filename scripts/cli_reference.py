"""Writes the reference of the `dsocr` command from the command itself.

python scripts/cli_reference.py > docs/cli.md
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator
from typing import Any

from typer.models import ArgumentInfo

from dsocr.cli import app

INTRODUCTION = """\
# The dsocr command

Written by `python scripts/cli_reference.py > docs/cli.md`; a test compares it with the command.
Every command says the same with `--help`.
"""


def reference() -> str:
    parts = [INTRODUCTION]
    if app.registered_callback and app.registered_callback.callback:
        parts += _section("dsocr", app.registered_callback.callback)
    for command in app.registered_commands:
        if command.callback:
            parts += _section(f"dsocr {command.callback.__name__}", command.callback)
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            if command.callback:
                name = command.name or command.callback.__name__
                title = f"dsocr {group.typer_instance.info.name} {name}"
                parts += _section(title, command.callback)
    return "\n".join(parts)


def _section(name: str, function: Callable[..., Any]) -> Iterator[str]:
    yield f"## {name}\n\n{inspect.getdoc(function)}\n"
    yield "| | | default |\n| --- | --- | --- |"
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        kind, option = typing.get_args(parameter.annotation)
        yield _row(parameter, kind, option)
    yield ""


def _row(parameter: inspect.Parameter, kind: Any, option: Any) -> str:
    is_argument = isinstance(option, ArgumentInfo)
    # In an annotation typer takes the first flag for the default, as it is the first argument.
    declared = [flag for flag in (option.default, *(option.param_decls or ())) if flag is not ...]
    flags = declared or [f"--{parameter.name.replace('_', '-')}"]
    words = [] if is_argument else [", ".join(f"`{flag}`" for flag in flags)]
    if kind is not bool:
        words.append(f"`{option.metavar or ('NUMBER' if _is_number(kind) else 'TEXT')}`")
    cells = (" ".join(words), option.help, _default(parameter.default, option.show_default))
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _is_number(kind: Any) -> bool:
    return bool({int, float} & {kind, *typing.get_args(kind)})


def _default(value: Any, shown: Any) -> str:
    if isinstance(shown, str):
        return shown
    return "" if value in (None, False, inspect.Parameter.empty) else f"`{value}`"


if __name__ == "__main__":
    print(reference(), end="")
