"""How much of each pure module, one without broker and Spark, the pure tests run: lines and branches. `make coverage`.

Exit status 1 when a test fails or a module is covered to less than 95%.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

LEAST = 95.0
MODULES = (
    "access_log", "chart_data", "chart_label", "chart_shadow", "chart_style", "charts", "click_ads",
    "click_limits", "click_order", "click_visits", "clicks", "errors", "evaluation", "evidence",
    "gap_batches", "gaps", "hand_over", "headers", "live_chart", "mask", "parameters", "patterns",
    "readers", "report_page", "report_parts", "rule", "shadow", "tables", "traffic", "tuning", "tuning_board",
    "tuning_charts", "tuning_grid", "tuning_style", "tuning_views", "verdict_table", "visitors",
)  # fmt: skip
TESTS = (
    "access_log", "charts", "click_limits", "click_visits", "clicks", "evaluation", "evidence",
    "gap_batches", "hand_over", "mask", "parameters", "patterns", "readers", "report", "report_parts", "rule",
    "shadow", "traffic", "tuning", "tuning_charts", "tuning_grid", "verdict_table",
)  # fmt: skip
ROOT = Path(__file__).parent.parent


def main() -> int:
    """Run the pure tests, print what they cover of each module, and say whether it is enough."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "coverage.json"
        words = ["-m", "pytest", "-q", "--cov=workbench", "--cov-branch", "--cov-report=", f"--cov-report=json:{found}"]
        words += [f"tests/test_{name}.py" for name in TESTS] + [f"workbench/{name}.py" for name in MODULES]
        ran = subprocess.run([sys.executable, *words], cwd=ROOT, check=False)
        if not found.exists():
            return 1
        files = json.loads(found.read_text("utf-8"))["files"]
    low = 0
    for name in MODULES:
        part = files.get(f"workbench/{name}.py", {"summary": {"percent_covered": 0.0}, "missing_lines": []})
        share, missing = part["summary"]["percent_covered"], part["missing_lines"]
        low += share < LEAST
        lines = f"  lines {', '.join(map(str, missing))}" if missing else ""
        print(f"{name:<16} {share:6.1f}%{'  TOO LOW' if share < LEAST else ''}{lines}")
    print(f"{len(MODULES) - low} of {len(MODULES)} modules are covered to {LEAST:g}% or more")
    return int(ran.returncode != 0 or low > 0)


if __name__ == "__main__":
    sys.exit(main())
