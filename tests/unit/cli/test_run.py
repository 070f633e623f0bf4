"""The main job: what it tells of a run, and that it leaves nothing behind. Its whole way runs in test_notebooks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from polling import until
from processes import has_ended

from workbench.broker.connection import Connection
from workbench.cli import private
from workbench.cli.private import leaving_nothing, unsecured
from workbench.cli.run import describe
from workbench.errors import ReportError

SUMMARY: dict[str, Any] = {
    "rule_id": "3-in-10s", "precision": 0.9687, "recall": None, "recall_by_kind": {"burst_bot": 0.5}, "clicks": 13500,
    "flagged": 1470, "missing": 0, "dead_letters": 0, "dropped_by_watermark": 0,
    "latency_p50_ms": 2.4, "latency_p99_ms": 12.0,
}  # fmt: skip


def test_the_figures_of_a_run_are_told_one_a_line_and_the_report_last() -> None:
    lines = describe(SUMMARY, Path("out/report.html")).splitlines()
    told = {line[:26].strip(): line[26:].strip() for line in lines}
    assert told["rule"] == "3-in-10s"
    assert told["precision"] == "0.969"
    assert told["recall"] == "none"
    assert told["of burst bots"] == "0.500"
    assert told["clicks"] == "13,500"
    assert told["latency p99"] == "12 ms"
    assert lines[-1].endswith("out/report.html")


def test_a_summary_that_lacks_a_figure_is_an_error_that_names_it() -> None:
    with pytest.raises(ReportError, match="lacks missing, latency_p99_ms"):
        describe({k: v for k, v in SUMMARY.items() if k not in ("missing", "latency_p99_ms")}, Path("x.html"))


def test_a_process_that_outlives_its_parent_is_ended_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    # It does not end by itself, so it is told to; no need to wait for that as long as for a JVM.
    monkeypatch.setattr(private, "_EXIT_S", 0.2)
    sleep = "import time; time.sleep(60)"
    start = f"import subprocess as s, sys; print(s.Popen([sys.executable, '-c', {sleep!r}], stdout=s.DEVNULL).pid)"
    mine = subprocess.Popen([sys.executable, "-c", sleep])
    try:
        with leaving_nothing():
            ran = subprocess.run(
                [sys.executable, "-c", start], stdout=subprocess.PIPE, text=True, check=True, timeout=30
            )
            orphan = psutil.Process(int(ran.stdout))
            assert orphan.status() != psutil.STATUS_ZOMBIE
        until(lambda: has_ended(orphan.pid))  # it is not waited for where it had to be killed
        assert mine.poll() is None
    finally:
        mine.kill()
        mine.wait()
    assert "WORKBENCH_RUN" not in os.environ


def test_the_private_broker_is_reached_without_the_login_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SECURITY", "sasl_ssl")
    monkeypatch.setenv("WORKBENCH_USERNAME", "ann")
    with unsecured():
        assert Connection.from_env({**os.environ, "WORKBENCH_BROKERS": "a:1"}) == Connection("a:1")
    assert os.environ["WORKBENCH_SECURITY"] == "sasl_ssl"
    monkeypatch.delenv("WORKBENCH_SECURITY")
    with unsecured():
        pass
    assert "WORKBENCH_SECURITY" not in os.environ
