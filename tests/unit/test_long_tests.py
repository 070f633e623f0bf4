"""What the short run leaves out: each file with long tests names one with short tests that hold the same promises."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONG = "pytest.mark.long"
WITH_LONG = [
    str(path.relative_to(ROOT))
    for path in sorted((ROOT / "tests").rglob("test_*.py"))
    if path != Path(__file__) and LONG in path.read_text("utf-8")
]


def short_tests(path: Path) -> list[str]:
    """The tests of a file that the short run has, at least with some of their parameters."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark" and LONG in ast.unparse(node):
            return []
    tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return [test.name for test in tests if LONG not in map(ast.unparse, test.decorator_list)]


def test_there_are_long_tests() -> None:
    assert len(WITH_LONG) > 10


@pytest.mark.parametrize("name", WITH_LONG)
def test_a_file_with_long_tests_names_a_sibling_with_short_ones(name: str) -> None:
    said = ast.get_docstring(ast.parse((ROOT / name).read_text("utf-8"))) or ""
    (sibling,) = re.findall(r"^Short sibling: (tests/\S+\.py)$", said, re.MULTILINE)
    assert short_tests(ROOT / sibling)
