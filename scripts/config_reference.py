"""Prints docs/configuration.md from the config dataclasses: all settings with their defaults."""

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

Every setting is an environment variable. `scripts/config_reference.py` generates this page from
the code and a test compares them; change the code, then run

```
python scripts/config_reference.py > docs/configuration.md
```

An invalid value is reported in one line that names the variable, and nothing is started. A name
that looks like a mistyped setting is logged as a warning. Relative paths start at
`web_project/backend` of a checkout, or at the working directory for an installed wheel. Lists are
separated by commas, switches are `on` and `off`.

A default "by the machine" is computed from its cores, its memory and what the engine takes at once;
`auto` says so explicitly. `GET /health` (`limits`) and `dsocr doctor` show the numbers in effect
and the reason of each.
"""
SECTIONS = {  # titles of the sections of `Settings`
    "": "General",
    "pages": "Decoding files (`pages`)",
    "embedded": "The embedded engine (`ppocr`)",
    "runtime": "The native engine",
    "remote": "Servers of the model (`remote`)",
    "ray": "A Ray cluster (`ray`)",
    "server": "The HTTP service",
    "jobs": "Jobs",
}
PATHS = {  # defaults that depend on the path of the checkout, written as relative paths
    "DEEPSEEK_OCR_RUNS_DIR": "runs",
    "DEEPSEEK_OCR_MODEL_PATH": "../../ocr_project/model",
}


def main() -> None:
    print(HEAD)
    types = {"": Settings} | typing.get_type_hints(Settings)
    for section in dict.fromkeys(variable.section for variable in variables()):
        docstrings = field_docstrings(types[section])
        print(f"## {SECTIONS[section]}\n\n| variable | default | meaning |\n| --- | --- | --- |")
        for variable in variables():
            if variable.section == section:
                meaning = f"{docstrings.get(variable.field, '')} {choices(variable)}".strip()
                print(f"| `{variable.name}` | {default(variable)} | {meaning} |")
        print()


def field_docstrings(config: type[Any]) -> dict[str, str]:
    """Docstrings below the fields of a dataclass, by field; Python does not keep them."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(config))).body[0]
    assert isinstance(tree, ast.ClassDef)
    docstrings = {}
    for item, below in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            value = below.value if isinstance(below, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                text = " ".join(value.value.split())
                docstrings[item.target.id] = text.replace("|", "\\|")
    return docstrings


def default(variable: Variable) -> str:
    if variable.auto is not None:
        return f"by the machine: {variable.auto.rule}"
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
