"""One set of versions: pyproject.toml, the lock, environment.yml, the jars and this installation agree."""

from __future__ import annotations

import importlib.metadata
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import get_args

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from workbench.errors import SetupError
from workbench.machine.extras import Extra, extra
from workbench.machine.java import JAVA_VERSIONS
from workbench.spark.session import SPARK_VERSION

ROOT = Path(__file__).parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
PROJECT = tomllib.loads(PYPROJECT)["project"]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")


def pins(lines: Iterable[str]) -> dict[str, str]:
    """Name → version of requirements that name exactly one. What an extra takes from other extras is left out."""
    found: dict[str, str] = {}
    for requirement in map(Requirement, lines):
        if requirement.name == PROJECT["name"]:
            continue
        (pin,) = requirement.specifier
        assert pin.operator == "==", f"{requirement} is not pinned"
        assert found.setdefault(requirement.name, pin.version) == pin.version, "one version in all extras"
    return found


def locked() -> dict[str, set[str]]:
    """Name → versions in the lock (more than one where a marker decides)."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==(\S+)", LOCK, re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


EXTRAS = PROJECT["optional-dependencies"]
DIRECT = pins(chain(PROJECT["dependencies"], *EXTRAS.values()))


def test_every_direct_dependency_is_locked_at_its_pin() -> None:
    lock = locked()
    assert {name: lock.get(name) for name in DIRECT} == {name: {version} for name, version in DIRECT.items()}


def test_every_locked_package_has_hashes_and_no_host_is_named() -> None:
    blocks = re.split(r"^(?=[a-z0-9._-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) == sum(map(len, locked().values())) > len(DIRECT)
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert "://" not in LOCK
    assert "index" not in LOCK.replace("--no-emit-index-url", "")


def test_the_conda_environment_has_the_same_pins() -> None:
    text = (ROOT / "environment.yml").read_text("utf-8")
    assert text == runpy.run_path(str(ROOT / "tools" / "environment.py"))["environment"](PYPROJECT)
    assert pins(re.findall(r"^      - ([a-z].*)$", text, re.MULTILINE)) == DIRECT
    python = re.search(r"- python=(\S+)", text)
    java = re.search(r"- openjdk=(\d+)", text)
    assert python is not None
    assert java is not None
    assert PROJECT["requires-python"] == f">={python[1]}"
    assert int(java[1]) in JAVA_VERSIONS


def test_what_is_installed_is_what_is_pinned() -> None:
    wrong = {
        name: found
        for name, version in DIRECT.items()
        if Version(found := importlib.metadata.version(name)) != Version(version)
    }
    assert wrong == {}


def test_spark_is_the_version_that_the_runtime_names_and_pandas_stays_below_3() -> None:
    assert DIRECT["pyspark"] == SPARK_VERSION
    assert Version(DIRECT["pandas"]) < Version("3")


def test_the_extras_are_those_that_errors_name_and_dev_has_them_all() -> None:
    assert {*EXTRAS} == {*get_args(Extra), "all", "dev"}
    assert EXTRAS["all"] == [f"{PROJECT['name']}[{','.join(get_args(Extra))}]"]
    assert f"{PROJECT['name']}[all]" in EXTRAS["dev"]


@pytest.mark.parametrize("name", get_args(Extra))
def test_a_package_that_an_extra_would_bring_is_named_with_the_command_in_one_line(name: Extra) -> None:
    with pytest.raises(SetupError) as told, extra(name):
        import no_such_package  # type: ignore[import-not-found]  # noqa: F401
    assert f'the package no_such_package is missing: it is in the extra "{name}"' in str(told.value)
    assert str(told.value).endswith(f'Fix: pip install "{PROJECT["name"]}[{name}]"')
    assert "\n" not in str(told.value)


def test_what_the_images_install_is_the_core_and_the_extras_without_what_only_tests_need() -> None:
    runtime = runpy.run_path(str(ROOT / "tools" / "runtime_lock.py"))["runtime_lock"](PYPROJECT, LOCK)
    names = {*re.findall(r"^([a-z0-9._-]+)==", runtime, re.MULTILINE)}
    running = pins(chain(PROJECT["dependencies"], *(EXTRAS[name] for name in get_args(Extra))))
    assert {*running} | {"setuptools", "py4j", "werkzeug", "ipython"} <= names
    assert names & {"mypy", "numpydoc", "playwright", "pytest", "ruff"} == set()


def test_the_shell_check_and_the_package_want_the_same_java() -> None:
    script = (ROOT / "tools" / "system.sh").read_text("utf-8")
    assert f" in {' | '.join(map(str, JAVA_VERSIONS))}) return 0" in script


def test_ci_runs_what_a_developer_runs() -> None:
    commands = [line for line in (ROOT / ".ci" / "run").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert commands == ["set -eu", 'cd "$(dirname "$0")/.."', "make test", "exec make test-long"]
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert {"run", "test", "lab", "clean", "lock", "setup"} <= set(targets)


@pytest.mark.parametrize(
    "module",
    [
        "rule",
        "clicks.record",
        "clicks.files",
        "clicks.traffic",
        "charts.figures",
        "cli.doctor",
        "broker.topics",
        "spark.session",
    ],
)
def test_a_module_is_imported_without_java_and_without_starting_spark(module: str) -> None:
    code = f"import sys, workbench.{module}; print([*{{'pyspark', 'kafka'}} & {{*sys.modules}}])"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ran.stdout == "[]\n"
