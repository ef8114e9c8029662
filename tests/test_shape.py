"""The shape of the sources: small folders, small functions, no circle of imports."""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"dsocr": ROOT / "src", "bench": ROOT}
MAX_MODULES = 18


@cache
def parsed(package: str) -> dict[str, tuple[Path, ast.Module]]:
    """Every module of the package, by its dotted name."""
    root = PACKAGES[package]
    found = {}
    for path in (root / package).rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if path.name == "__init__.py" else parts)
        found[name] = (path, ast.parse(path.read_text("utf-8")))
    return found


def imported(tree: ast.Module, names: set[str]) -> set[str]:
    """The modules among `names` that a module imports, also inside its functions."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names} & names
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found |= {inner if inner in names else node.module} & names
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_there_is_no_circle_of_imports(package: str) -> None:
    modules = parsed(package)
    graph = {name: imported(tree, set(modules)) for name, (_, tree) in modules.items()}
    assert len(graph) > 50
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("package", PACKAGES)
def test_no_folder_has_many_modules(package: str) -> None:
    paths = [path for path, _ in parsed(package).values() if path.name != "__init__.py"]
    counts = Counter(path.parent.relative_to(ROOT).as_posix() for path in paths)
    assert {folder: count for folder, count in counts.items() if count > MAX_MODULES} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_are_small(package: str) -> None:
    lines = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for _, tree in parsed(package).values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert median(lines) <= 8 and quantiles(lines, n=10)[-1] <= 22
