"""Write environment.yml: the direct dependencies of pyproject.toml, extras too, for conda. `make lock` runs this."""

from __future__ import annotations

import tomllib
from pathlib import Path


def environment(pyproject: str) -> str:
    """The text of environment.yml for the text of pyproject.toml."""
    project = tomllib.loads(pyproject)["project"]
    every = {*project["dependencies"]}.union(*project["optional-dependencies"].values())
    pins = sorted(pin for pin in every if not pin.startswith(project["name"]))  # an extra may name others
    lines = "\n".join(f"      - {pin}" for pin in pins)
    return f"""\
# Made from pyproject.toml by `make lock`; do not edit. conda env create -f environment.yml
name: {project["name"]}
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.11
  - openjdk=17
  - pip
  - pip:
{lines}
      - --editable .
"""


if __name__ == "__main__":
    root = Path(__file__).parent.parent
    (root / "environment.yml").write_text(environment((root / "pyproject.toml").read_text("utf-8")), "utf-8")
