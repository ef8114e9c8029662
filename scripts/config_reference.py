"""Prints docs/configuration.md: every setting with its default, out of the code that reads it."""

from __future__ import annotations

import ast
import inspect
import textwrap
import typing
from dataclasses import MISSING
from typing import Any

from dsocr.config import Settings, Variable, variables
from dsocr.types import NoRepeat

HEAD = """# Configuration

Every setting is an environment variable. This page is written by `scripts/config_reference.py`
out of the code and checked by the tests; change the code, then run

```
python scripts/config_reference.py > docs/configuration.md
```

A bad value stops the start with one line that names the variable; a name that looks like a setting
but is none is warned of in the log. Relative paths are seen from `web_project/backend` of a clone,
and from the working directory when the package was installed without one. Lists are separated by
commas, switches are `on` and `off`.
"""
ROOMS = {
    "": "General",
    "pages": "Decoding files (`pages`)",
    "embedded": "The embedded engine (`ppocr`)",
    "runtime": "The native engine",
    "server": "The HTTP service",
    "jobs": "Jobs",
}
PATHS = {  # what depends on where the clone lies, as one writes it
    "DEEPSEEK_OCR_RUNS_DIR": "runs",
    "DEEPSEEK_OCR_MODEL_PATH": "../../ocr_project/model",
}


def main() -> None:
    print(HEAD)
    types = {"": Settings} | typing.get_type_hints(Settings)
    for room, title in ROOMS.items():
        words = field_words(types[room])
        print(f"## {title}\n\n| variable | default | meaning |\n| --- | --- | --- |")
        for variable in variables():
            if variable.room == room:
                meaning = f"{words.get(variable.field, '')} {choices(variable)}".strip()
                print(f"| `{variable.name}` | {default(variable)} | {meaning} |")
        print()


def field_words(config: type[Any]) -> dict[str, str]:
    """The docstrings that stand below a dataclass's fields; Python itself forgets them."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(config))).body[0]
    assert isinstance(tree, ast.ClassDef)
    words = {}
    for item, below in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            said = below.value if isinstance(below, ast.Expr) else None
            if isinstance(said, ast.Constant) and isinstance(said.value, str):
                words[item.target.id] = " ".join(said.value.split()).replace("|", "\\|")
    return words


def default(variable: Variable) -> str:
    value = PATHS.get(variable.name, variable.default)
    if value is None or value is MISSING or value == ():
        return ""
    if isinstance(value, NoRepeat):
        value = f"{value.ngram}/{value.window}"
    if isinstance(value, tuple):
        value = ",".join(value)
    if isinstance(value, bool):
        value = "on" if value else "off"
    shown = str(value).replace("\n", "\\n").replace("|", "\\|")
    return f"`{shown}`"


def choices(variable: Variable) -> str:
    """The words of a Literal."""
    if typing.get_origin(variable.type) is not typing.Literal:
        return ""
    return f"One of {', '.join(f'`{word}`' for word in typing.get_args(variable.type))}."


if __name__ == "__main__":
    main()
