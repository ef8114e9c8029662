"""`dsocr keys`: the API keys of a service, which can be changed while it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dsocr.config import Settings

keys = typer.Typer(
    name="keys",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="API keys of the service: added and revoked while it runs. Their hashes are in the file "
    "`DEEPSEEK_OCR_KEYS_FILE`.",
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The name of the key.")]


@keys.command()
def add(name: NameArgument) -> None:
    """Make a key and write it to standard output, this once. With the first key the service
    stops being open.
    """
    from dsocr.server.key_file import add_key

    key = add_key(_path(), name)
    print("Keep this key: it is not stored and cannot be shown again.", file=sys.stderr)
    print(key)


@keys.command(name="list")
def list_keys() -> None:
    """List the names of the keys and when they were made."""
    from dsocr.server.key_file import read_keys

    for key in read_keys(_path()):
        print(f"{key.createdAt}  {key.name}")


@keys.command()
def revoke(name: NameArgument) -> None:
    """Revoke a key: the next request with it is refused. A service without keys left refuses all
    requests; delete the file and restart to open it.
    """
    from dsocr.server.key_file import revoke_key

    revoke_key(_path(), name)
    print(f"The key {name} is revoked.", file=sys.stderr)


def _path() -> Path:
    return Settings.from_environment().keys_path
