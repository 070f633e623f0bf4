"""Importing the workbench changes nothing for others: not the libraries that it uses, not the process that it is in."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import workbench

PACKAGE = Path(workbench.__file__).parent

# Run in a process of its own, as nothing is imported there yet.
PROBE = """
import importlib, json, locale, logging, os, pkgutil, signal, socket, sys, threading, warnings

def named(values):
    return {str(name): repr(value) for name, value in values}

def state():
    import numpy, pandas, plotly.io
    root = logging.getLogger()
    loggers = [found for found in logging.Logger.manager.loggerDict.values() if isinstance(found, logging.Logger)]
    return {
        "the default template of plotly": plotly.io.templates.default,
        "templates of plotly": sorted(plotly.io.templates),
        "the default renderer of plotly": plotly.io.renderers.default,
        "renderers of plotly": named((name, vars(plotly.io.renderers[name])) for name in plotly.io.renderers),
        "options of pandas": pandas.describe_option(_print_desc=False).splitlines(),
        "print options of numpy": named(numpy.get_printoptions().items()),
        "floating point errors of numpy": numpy.geterr(),
        "the root logger": [root.level, root.manager.disable, *map(repr, root.handlers + root.filters)],
        "levels of loggers": {found.name: found.level for found in loggers if found.level},
        "classes of logging": [repr(logging.getLoggerClass()), repr(logging.getLogRecordFactory())],
        "filters of warnings": [*map(repr, warnings.filters), repr(warnings.showwarning)],
        "handlers of signals": named((number, signal.getsignal(number)) for number in signal.valid_signals()),
        "environment": dict(os.environ),
        "locale": locale.setlocale(locale.LC_ALL),
        "folder": os.getcwd(),
        "search path": list(sys.path),
        "hooks": [repr(sys.excepthook), repr(sys.displayhook), repr(threading.excepthook)],
        "threads": [thread.name for thread in threading.enumerate()],
        "limits": [socket.getdefaulttimeout(), sys.getrecursionlimit(), sys.getswitchinterval()],
    }

used, package = json.loads(sys.argv[1]), sys.argv[2]
for name in used:
    importlib.import_module(name)
before = state()
for found in pkgutil.walk_packages([package], "workbench."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
after = state()
print(json.dumps({name: [before[name], after[name]] for name in before if before[name] != after[name]}))
"""


def libraries() -> list[str]:
    """The modules of others that ours import when they are imported: what these change is theirs."""
    names: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        body = ast.parse(path.read_text("utf-8")).body
        for part in [*body, *(inner for outer in body if isinstance(outer, ast.With) for inner in outer.body)]:
            if isinstance(part, ast.Import):
                names |= {alias.name for alias in part.names}
            elif isinstance(part, ast.ImportFrom) and not part.level:
                names.add(part.module or "")
    return sorted(name for name in names if name.split(".")[0] not in {*sys.stdlib_module_names, "workbench"})


def test_importing_every_module_changes_no_library_and_nothing_of_the_process() -> None:
    command = [sys.executable, "-c", PROBE, json.dumps(libraries()), str(PACKAGE)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {}
