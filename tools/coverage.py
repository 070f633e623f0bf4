"""How much of each pure module the tests in tests/unit run: lines and branches. `make coverage`.

A module is pure when no import leads from it to a broker, to Spark, to a web server or to another process; which these
are is read from the imports. Exit status 1 when a test fails or such a module is covered to less than 95%.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import grimp

LEAST = 95.0
OUTSIDE = {
    "flask",
    "kafka",
    "nbclient",
    "papermill",
    "prometheus_client",
    "py4j",
    "pyspark",
    "socket",
    "subprocess",
    "waitress",
}
ROOT = Path(__file__).parent.parent


def pure_modules() -> list[str]:
    """The files of the pure modules, packages' own left out, as paths from the root."""
    graph = grimp.build_graph("workbench", include_external_packages=True, exclude_type_checking_imports=True)
    ours = (name for name in sorted(graph.modules) if name.startswith("workbench."))
    pure = (name for name in ours if not OUTSIDE & {used.split(".")[0] for used in graph.find_upstream_modules(name)})
    files = (f"{name.replace('.', '/')}.py" for name in pure)
    return [path for path in files if (ROOT / path).is_file()]


def main() -> int:
    """Run the unit tests, print what they cover of each module, and say whether it is enough."""
    pure = pure_modules()
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "coverage.json"
        words = ["-m", "pytest", "-q", "--cov=workbench", "--cov-branch", "--cov-report=", f"--cov-report=json:{found}"]
        ran = subprocess.run([sys.executable, *words, "tests/unit", *pure], cwd=ROOT, check=False)
        if not found.exists():
            return 1
        files = json.loads(found.read_text("utf-8"))["files"]
    low = 0
    for path in pure:
        part = files.get(path, {"summary": {"percent_covered": 0.0}, "missing_lines": []})
        share, missing = part["summary"]["percent_covered"], part["missing_lines"]
        low += share < LEAST
        lines = f"  lines {', '.join(map(str, missing))}" if missing else ""
        print(f"{path:<36} {share:6.1f}%{'  TOO LOW' if share < LEAST else ''}{lines}")
    print(f"{len(pure) - low} of {len(pure)} modules are covered to {LEAST:g}% or more")
    return int(ran.returncode != 0 or low > 0)


if __name__ == "__main__":
    sys.exit(main())
