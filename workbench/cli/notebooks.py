"""Where the notebooks lie, and opening them in JupyterLab. Running one to its end is in `report`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from workbench.cli.console import environ
from workbench.errors import SetupError

if TYPE_CHECKING:
    from argparse import Namespace

__all__ = ["find", "lab"]


def find(name: str, folder: Path | None = None) -> Path:
    """The notebook of that name in the source tree. Raises SetupError when the package was installed without it."""
    path = (folder or Path(__file__).resolve().parents[2] / "notebooks") / name
    if not path.is_file():
        raise SetupError(
            f"there is no {path}. Fix: the notebooks come with the source tree: clone it and run `make setup` there"
        )
    return path


def lab(args: Namespace) -> NoReturn:
    """Become JupyterLab, of this Python, on loopback: so Ctrl-C and the exit status are its own."""
    tour = find("00_tour.ipynb")
    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={tour.parent}"]
    sys.stdout.flush()
    os.execve(sys.executable, [*command, *args.arguments, str(tour)], environ(args))
