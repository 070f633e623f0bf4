"""What each module offers: its `__all__` names all of it, nothing else, and each name says what it is for."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "workbench"
MODULES = sorted(
    ".".join(path.relative_to(FOLDER.parent).with_suffix("").parts)
    for path in FOLDER.rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py")
)
ALIAS = re.compile(r"[A-Z][a-z]")
"""A type's other name, like `Ints`. It serves the reader of its module, and need not be offered."""


def defined(module: str) -> set[str]:
    """Names without an underscore in front that a module makes itself: functions, classes and constants."""
    path = FOLDER.parent / f"{module.replace('.', '/')}.py"
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {at.id for at in targets if isinstance(at, ast.Name) and not ALIAS.match(at.id)}
    return {name for name in found if not name.startswith("_")}


def undocumented(name: str, thing: Any) -> list[str]:
    """The function, the class and its public methods and properties that have no docstring of their own."""
    if inspect.isclass(thing):
        parts = {f"{name}.{key}": part for key, part in vars(thing).items() if not key.startswith("_")}
        methods = {key: getattr(part, "__func__", part) for key, part in parts.items()}
        own = {key: part for key, part in methods.items() if isinstance(part, FunctionType | property)}
        return [key for key, part in {name: thing, **own}.items() if not _said(part)]
    return [name] if inspect.isfunction(inspect.unwrap(thing)) and not _said(thing) else []


def _said(thing: Any) -> str:
    said = thing.__dict__.get("__doc__") if inspect.isclass(thing) else thing.__doc__
    # What dataclass() writes by itself is a signature, and says nothing.
    return "" if said is None or said.startswith(f"{getattr(thing, '__name__', '')}(") else said.strip()


@pytest.mark.parametrize("name", MODULES)
def test_a_module_offers_all_that_it_defines_and_every_name_exists_and_is_described(name: str) -> None:
    module = importlib.import_module(name)
    offered: list[str] = module.__all__
    assert len(offered) == len(set(offered))
    assert [each for each in offered if not hasattr(module, each)] == []
    assert sorted(defined(name) - set(offered)) == [], "offer it in __all__, or begin its name with an underscore"
    assert (module.__doc__ or "").strip()
    assert [part for each in offered for part in undocumented(each, getattr(module, each))] == []


def test_all_modules_are_looked_at() -> None:
    assert len(MODULES) > 60
    assert {"workbench.rule", "workbench.cli.parser"} < set(MODULES)
