"""The map of the packages is held: in a copy of ours an import against it is told, with the names of both modules."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import workbench

PACKAGE = Path(workbench.__file__).parent
LINTER = Path(sys.executable).with_name("lint-imports")


def contracts_of(folder: Path) -> tuple[int, str]:
    """Hold the package in this folder to the contracts of pyproject.toml; the exit status, and what is printed."""
    command = [str(LINTER), "--no-logo", "--no-cache", str(PACKAGE.parent / "pyproject.toml")]
    environ = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"}
    ran = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=300, check=False)
    return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(PACKAGE, tmp_path / "workbench", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


WRONG = [
    ("workbench.rule", "workbench.broker.topics"),  # up
    ("workbench.click_page.limits", "workbench.detector.source"),  # to one beside it
    ("workbench.reports.mask", "pyspark.sql"),
    ("workbench.clicks.record", "kafka.errors"),
]


@pytest.mark.parametrize(("module", "wanted"), WRONG)
def test_an_import_against_the_map_fails_and_names_both(module: str, wanted: str, copy: Path) -> None:
    path = copy.joinpath(*module.split(".")).with_suffix(".py")
    path.write_text(f"{path.read_text('utf-8')}\n\nimport {wanted}\n", "utf-8")
    status, told = contracts_of(copy)
    assert status == 1
    assert "BROKEN" in told
    package = wanted if wanted.startswith("workbench") else wanted.split(".")[0]
    assert f"{module} -> {package}" in told


def test_a_package_that_is_not_on_the_map_is_told(copy: Path) -> None:
    (copy / "workbench" / "cellar").mkdir()
    (copy / "workbench" / "cellar" / "__init__.py").write_text('"""Below the stairs."""\n', "utf-8")
    status, told = contracts_of(copy)
    assert status == 1
    assert "cellar" in told
