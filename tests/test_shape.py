"""The shape of the sources: small folders, small functions, no circle of imports."""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"dsocr": ROOT / "src", "bench": ROOT}
MAX_MODULES = 18


@dataclass(frozen=True)
class Module:
    """What the tests ask of a module; its syntax tree is not kept."""

    path: Path
    imports: frozenset[tuple[str, str]]
    """Each imported module with an imported name, which may be a module of it."""
    function_lines: tuple[int, ...]


@cache
def parsed(package: str) -> dict[str, Module]:
    """Every module of the package, by its dotted name."""
    root = PACKAGES[package]
    found = {}
    for path in (root / package).rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if path.name == "__init__.py" else parts)
        found[name] = module_of(path)
    return found


def module_of(path: Path) -> Module:
    imports: set[tuple[str, str]] = set()
    lines = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imports |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports |= {(node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines.append((node.end_lineno or node.lineno) - node.lineno + 1)
    return Module(path, frozenset(imports), tuple(lines))


def imported(module: Module, names: set[str]) -> set[str]:
    """The modules among `names` that a module imports, also inside its functions."""
    inner = {
        f"{outer}.{name}" if f"{outer}.{name}" in names else outer for outer, name in module.imports
    }
    return inner & names


@pytest.mark.parametrize("package", PACKAGES)
def test_there_is_no_circle_of_imports(package: str) -> None:
    modules = parsed(package)
    graph = {name: imported(module, set(modules)) for name, module in modules.items()}
    assert len(graph) > 50
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("package", PACKAGES)
def test_no_folder_has_many_modules(package: str) -> None:
    modules = parsed(package).values()
    paths = [module.path for module in modules if module.path.name != "__init__.py"]
    counts = Counter(path.parent.relative_to(ROOT).as_posix() for path in paths)
    assert {folder: count for folder, count in counts.items() if count > MAX_MODULES} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_are_small(package: str) -> None:
    lines = [count for module in parsed(package).values() for count in module.function_lines]
    assert median(lines) <= 8 and quantiles(lines, n=10)[-1] <= 22
