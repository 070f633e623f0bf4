"""The front door: `import workbench` offers exactly these names, imports nothing heavy, and each name is documented."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import workbench

ROOT = Path(__file__).parents[2]
NAMESPACES = ["broker", "charts", "clicks", "errors", "reports", "rule", "tuning", "verdicts"]
PUBLIC = {
    "workbench": [
        *("Connection", "Cost", "Detector", "Live", "LiveChart", "Mapping", "Mix", "Recording", "Rule", "Sending"),
        *("Shadow", "Surface", "Tolerance", "Topics", "Traffic", "TuningBoard", "VerdictFeed", "WorkbenchError"),
        *("audit", "connect", "detect", "doctor", "evaluate", "follow", "judge", "live", "read", "read_topic"),
        *("replay", "report", "send", "surface"),
    ],
    "workbench.broker": [
        *("BrokerStatus", "Connection", "EmbeddedBroker", "Security", "Sending", "Sent", "TopicClicks", "Topics"),
        *("connect", "ensure_topics", "read_topic", "recreate_topics", "replay", "send"),
    ],
    "workbench.charts": [
        *("LiveChart", "click_windows", "clicks_per_second", "latency", "overview", "session_timeline", "top_sessions"),
    ],
    "workbench.clicks": ["FRAUD_LABELS", "Mapping", "Mix", "Recording", "SAMPLE_LOG", "Traffic", "read"],
    "workbench.reports": [
        *("Report", "beside", "evidence", "findings", "lines", "notices", "numbers", "patterns"),
        *("report", "run_notebook", "summary", "table", "tiles", "to_html", "versions", "write_report"),
    ],
    "workbench.tuning": [
        *("Cost", "Outcome", "Surface", "TuningBoard", "changed_sessions", "changes", "gap_distribution", "heat_map"),
        *("overview", "read_thresholds", "read_windows", "tradeoff"),
    ],
    "workbench.verdicts": [
        *("Agreement", "Audit", "Counts", "Evaluation", "Latency", "Shadow", "Verdict", "VerdictFeed"),
        *("compare", "evaluate", "follow", "latency"),
    ],
}
MODULES = {"workbench.reports": {"beside", "evidence", "findings", "patterns"}}
HEAVY = ["IPython", "flask", "kafka", "numpy", "pandas", "papermill", "plotly", "pyarrow", "pyspark"]
WANTED_OF_DOCSTRINGS = {"GL08", "PR01", "PR02", "RT01"}
"""numpydoc's checks: there is a docstring; each parameter is described in it, and no other; so is what is returned."""
GIVEN = {
    *("Agreement", "Audit", "BrokerStatus", "Counts", "Detector", "Evaluation", "Findings", "Latency", "Live"),
    *("Merged", "Outcome", "Recording", "Report", "Sending", "Sent", "Surface", "TopicClicks"),
    *("Verdict", "VerdictFeed", "Windowed"),
}
"""Classes that a function of the front door makes: their attributes are described instead of their parameters."""


def offered(package: str) -> list[str]:
    """The names of a package's front door, without the packages behind it and its version."""
    names: list[str] = importlib.import_module(package).__all__
    return [name for name in names if not (package == "workbench" and name in NAMESPACES)]


def everything() -> list[str]:
    return [f"{package}.{name}" for package, names in PUBLIC.items() for name in names]


def resolve(path: str) -> object:
    package, _, name = path.rpartition(".")
    return getattr(importlib.import_module(package), name)


def described(path: str) -> list[Any]:
    """The class or function of that name, all those of the module of that name, or nothing for a constant."""
    thing: Any = resolve(path)
    things = [getattr(thing, name) for name in thing.__all__] if inspect.ismodule(thing) else [thing]
    return [one for one in things if callable(one)]


@pytest.mark.parametrize("package", PUBLIC)
def test_these_names_are_offered_and_no_other(package: str) -> None:
    assert offered(package) == PUBLIC[package] == sorted(PUBLIC[package])
    module = importlib.import_module(package)
    assert dir(module) == module.__all__


def test_the_packages_worth_a_tab_are_there() -> None:
    assert sorted({*workbench.__all__} - {*PUBLIC["workbench"]}) == NAMESPACES
    assert all(inspect.ismodule(getattr(workbench, name)) for name in NAMESPACES)
    packages = {f"workbench.{name}" for name in NAMESPACES if hasattr(getattr(workbench, name), "__path__")}
    assert packages == {*PUBLIC} - {"workbench"}


@pytest.mark.parametrize("package", PUBLIC)
def test_the_stub_that_type_checkers_read_offers_the_same(package: str) -> None:
    path = ROOT / package.replace(".", "/") / "__init__.pyi"
    (listed,) = [
        ast.literal_eval(node.value)
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    assert sorted({*listed} - {"__version__"}) == importlib.import_module(package).__all__


@pytest.mark.parametrize("package", PUBLIC)
def test_no_name_is_also_a_modules(package: str) -> None:
    """A module that is imported is set as an attribute of its package, and would hide the name."""
    module = importlib.import_module(package)
    modules = {found.name for found in pkgutil.iter_modules(module.__path__)}
    assert modules & {*offered(package)} == MODULES.get(package, set())


@pytest.mark.parametrize("path", everything())
def test_a_name_says_what_it_is_for(path: str) -> None:
    assert (inspect.getdoc(resolve(path)) or "").strip()


@pytest.mark.parametrize("path", everything())
def test_a_name_is_described_as_numpydoc_would_have_it(path: str) -> None:
    for thing in described(path):
        wanted = WANTED_OF_DOCSTRINGS
        if thing.__name__ in GIVEN:
            sections = NumpyDocString(inspect.getdoc(thing) or "")
            names = {name for entry in sections["Attributes"] for name in entry.name.split(", ")}
            assert names >= {field.name for field in fields(thing)} if is_dataclass(thing) else names
            wanted = wanted - {"PR01"}
        found = validate(f"{thing.__module__}.{thing.__qualname__}")
        assert [f"{code}: {text}" for code, text in found["errors"] if code in wanted] == []


@pytest.mark.parametrize("path", everything())
def test_a_name_stands_in_the_documentation(path: str) -> None:
    pages = "\n".join(page.read_text("utf-8") for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])
    assert re.search(rf"\b{re.escape('wb.' + path.removeprefix('workbench.'))}\b", pages)


def test_what_the_page_of_the_front_door_shows_is_what_is_printed() -> None:
    ran = doctest.testfile(str(ROOT / "docs" / "front-door.md"), module_relative=False)
    assert ran.attempted > 5
    assert ran.failed == 0


@pytest.mark.parametrize("package", PUBLIC)
def test_importing_a_package_imports_nothing_heavy(package: str) -> None:
    code = f"import json, sys, {package}; print(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    imported = {*json.loads(ran.stdout)}
    assert imported & {*HEAVY} == set()
    assert {name for name in imported if name.startswith("workbench")} <= {"workbench", package}


def test_the_version_is_not_in_the_way() -> None:
    assert isinstance(workbench, ModuleType)
    assert re.fullmatch(r"\d+\.\d+\.\d+", workbench.__version__)
