"""Folders, locks and logs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workbench.machine.folders import cache_dir, locked, open_log, state_dir


def test_folders_follow_the_environment_when_asked_not_at_import(tmp_path: Path) -> None:
    environ = {"WORKBENCH_CACHE_DIR": str(tmp_path / "c"), "WORKBENCH_STATE_DIR": str(tmp_path / "s")}
    assert (cache_dir(environ), state_dir(environ)) == (tmp_path / "c", tmp_path / "s")
    assert cache_dir({}).name == state_dir({}).name == "click-fraud-workbench"


def test_a_lock_keeps_another_process_out_until_it_is_released(tmp_path: Path) -> None:
    lock, mark = tmp_path / "deep" / "lock", tmp_path / "mark"
    code = (
        "import sys, pathlib; from workbench.machine.folders import locked\n"
        "print('ready', flush=True)\n"
        "with locked(pathlib.Path(sys.argv[1])): print(pathlib.Path(sys.argv[2]).exists())"
    )
    with locked(lock):
        other = subprocess.Popen([sys.executable, "-c", code, str(lock), str(mark)], stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        mark.touch()
    said, _ = other.communicate(timeout=60)
    assert said == "True\n"


def test_only_the_newest_logs_of_a_kind_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_STATE_DIR", str(tmp_path))
    for number in range(4):
        with open_log(f"spark-{number}.log", keep=2) as log:
            log.write(b"x")
        os.utime(tmp_path / "logs" / f"spark-{number}.log", (time.time(), 1000 + number))
    open_log("other-1.log", keep=2).close()
    assert sorted(p.name for p in (tmp_path / "logs").iterdir()) == [
        "other-1.log",
        "spark-2.log",
        "spark-3.log",
    ]
