"""The private attributes of pyspark that the workbench uses are still there, each by its name. No JVM is started."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pyspark import SparkContext, java_gateway
from pyspark.errors.exceptions import captured
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.sql import SparkSession

from workbench.errors import DetectorError
from workbench.spark import internals

ON_CLASSES = [
    (SparkContext, "_gateway"),
    (SparkContext, "_jvm"),
    (SparkContext, "_active_spark_context"),
    (SparkSession, "_instantiatedSession"),
    (SparkSession, "_activeSession"),
]
ON_INSTANCES: list[tuple[type | ModuleType, str]] = [
    (SparkContext, "self._jsc ="),
    (CapturedException, "self._cause ="),
    (java_gateway, "gateway.proc = proc"),
]


@pytest.mark.parametrize(("owner", "name"), ON_CLASSES, ids=lambda value: getattr(value, "__name__", value))
def test_pyspark_still_has_the_class_attribute(owner: type, name: str) -> None:
    assert name in vars(owner), f"pyspark renamed {owner.__name__}.{name}: mend workbench/spark/internals.py"


@pytest.mark.parametrize(("owner", "line"), ON_INSTANCES, ids=lambda value: getattr(value, "__name__", value))
def test_pyspark_still_sets_the_attribute_of_each_instance(owner: type | ModuleType, line: str) -> None:
    assert line in inspect.getsource(owner), f"pyspark has no {line!r} in {owner.__name__}: mend internals.py"


def test_the_jvm_is_started_by_a_call_that_takes_its_settings_and_where_its_output_goes() -> None:
    assert [*inspect.signature(java_gateway.launch_gateway).parameters] == ["conf", "popen_kwargs"]


def test_every_private_attribute_of_the_module_is_looked_for_here() -> None:
    tree = ast.parse(Path(internals.__file__).read_text("utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")}
    looked_for = {name for _, name in ON_CLASSES} | {"_jsc", "_cause"}
    assert used == looked_for


def test_the_cause_of_an_error_is_that_of_sparks_own_and_of_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CapturedException, "__init__", lambda self: Exception.__init__(self))
    root: Any = CapturedException()
    failure: Any = CapturedException()
    root._cause, failure._cause = None, root
    assert internals.cause(failure) is root
    assert internals.cause(root) is None
    assert internals.cause(DetectorError("ours")) is None
    assert internals.cause(None) is None
    assert issubclass(captured.StreamingQueryException, CapturedException)
