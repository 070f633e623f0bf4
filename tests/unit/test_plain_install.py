"""The core, installed into a plain environment: clicks are read and rules are tried; what an extra brings is named.

Short sibling: tests/unit/test_setup.py
"""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = """
import workbench as wb
recording = wb.read(wb.clicks.SAMPLE_LOG)
print(recording)
print(wb.surface(recording.clicks, ["10s"], [3]).flagged_clicks)
print(len(wb.charts.session_timeline(wb.judge(recording.clicks, wb.Rule()).assign(revised=False)).data) > 0)
for needs_more in (lambda: wb.LiveChart, lambda: wb.reports.tiles, lambda: __import__("workbench.click_page.server")):
    try:
        needs_more()
    except wb.errors.SetupError as error:
        print(str(error).partition("Fix: ")[2])
"""
PRINTED = """\
1,800 lines: 1,018 clicks of 166 sessions from 2026-01-02 08:00:30 to 2026-01-02 13:58:07 UTC; 776 left out, 6 rejected
[[109]]
True
pip install "click-fraud-workbench[lab]"
pip install "click-fraud-workbench[report]"
pip install "click-fraud-workbench[page]"
"""


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_core_is_enough_to_read_clicks_and_to_try_rules(tmp_path: Path) -> None:
    """The short run holds the same in `test_front_door` and `test_setup`, in the environment that has all extras."""
    venv.create(tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
    # From a copy: building leaves files beside the source.
    kept = ["pyproject.toml", "README.md", "LICENSE", "workbench"]
    source = tmp_path / "source"
    source.mkdir()
    subprocess.run(["cp", "-r", *(str(ROOT / name) for name in kept), str(source)], check=True, timeout=60)
    # pyspark comes as source, which the pinned setuptools builds, as in `make setup`.
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    (pin,) = re.findall(r"^setuptools==[^ ]+", lock, re.MULTILINE)
    subprocess.run([*uv, pin], check=True, timeout=300)
    subprocess.run([*uv, "--no-build-isolation", str(source)], check=True, timeout=900)
    installed = subprocess.run(
        [str(python), "-c", CODE], capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False
    )
    assert installed.stdout == PRINTED, installed.stderr
