"""Write the parts of the pages that are made from the code: modules, options, parameters. `make docs` runs this.

A part stands between `<!-- made: NAME -->` and `<!-- made: end -->`. What is around it is written by hand.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tomllib
from pathlib import Path

import nbformat

from workbench.cli.parser import make_parser

ROOT = Path(__file__).parent.parent
PARTS = {
    "layers": "CONTRIBUTING.md",
    "modules": "CONTRIBUTING.md",
    "options": "docs/command.md",
    "notebooks": "docs/parameters.md",
    "formats": "docs/logs.md",
}


def layers() -> list[list[str]]:
    """The packages in the order of the contract on imports, from the top down; those of one line stand side by side."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (map_,) = [contract for contract in contracts if contract["type"] == "layers"]
    return [re.findall(r"\w+", line) for line in map_["layers"]]


def first_line(path: Path) -> str:
    """What a module or a package says of itself, first of all."""
    said = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return said.partition("\n")[0].replace("|", r"\|")


def best_read(folder: Path) -> list[Path]:
    """The modules of a package, each after those of the package that it imports."""
    left = {path.stem: path for path in sorted(folder.glob("*.py")) if path.stem not in ("__init__", "__main__")}
    package = f"workbench.{folder.name}"
    needs = {}
    for name, path in left.items():
        used = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                used |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
        needs[name] = {other for other in left if f"{package}.{other}" in used} - {name}
    order: list[Path] = []
    while left:
        ready = next((name for name in left if not needs[name] & left.keys()), next(iter(left)))
        order.append(left.pop(ready))
    return order


def made_layers() -> str:
    """The map: who may import whom."""
    return "```text\n" + "\n".join(" | ".join(line) for line in layers()) + "\n```"


def made_modules() -> str:
    """A table for each package, from the bottom up, in the words of the docstrings."""
    text = []
    single = ["| module | what is in it |", "| --- | --- |"]
    for name in (name for line in reversed(layers()) for name in line):
        path = ROOT / "workbench" / name
        if path.is_dir():
            rows = [f"| `{name}.{of.stem}` | {first_line(of)} |" for of in best_read(path)]
            head = f"**`{name}`** {first_line(path / '__init__.py')}"
            text += [head, "\n".join(["| module | what is in it |", "| --- | --- |", *rows])]
        else:
            single.append(f"| `{name}` | {first_line(path.with_suffix('.py'))} |")
    return "\n\n".join(["\n".join(single), *text])


def subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands of a parser, or the actions of a command."""
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: made for action in actions for name, made in action.choices.items()}


def _options(name: str, parser: argparse.ArgumentParser, level: int) -> list[str]:
    text = [f"{'#' * level} workbench {name}"]
    if parser.description:
        text.append(parser.description)
    rows = []
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            continue
        value = "" if action.nargs == 0 else str(action.metavar or "|".join(map(str, action.choices or [action.dest])))
        said = (action.help or "") % vars(action)
        words = " ".join([", ".join(action.option_strings), value]).strip()
        rows.append("| `{}` | {} |".format(*(text.replace("|", r"\|") for text in (words, said))))
    if rows:
        text.append("\n".join(["| option | |", "| --- | --- |", *rows]))
    for action, made in subparsers(parser).items():
        text += _options(f"{name} {action}", made, level + 1)
    return text


def made_options() -> str:
    """Every command with its options, as its `--help` says them."""
    return "\n\n".join(part for name, made in subparsers(make_parser()[0]).items() for part in _options(name, made, 3))


def made_notebooks() -> str:
    """A table for each notebook: the parameters of its cell tagged "parameters"."""
    text = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = [cell for cell in nbformat.read(path, 4).cells if "parameters" in cell.metadata.get("tags", [])]
        found = re.findall(r"^(\w+): (\w+) = (.*?)  # (.*)$", cells[0].source, re.MULTILINE)
        rows = [f"| `{name}` | {kind} | `{default}` | {said} |" for name, kind, default, said in found]
        head = f"[`{path.stem}`](../notebooks/{path.name})"
        text += [head, "\n".join(["| parameter | type | default | |", "| --- | --- | --- | --- |", *rows])]
    return "\n\n".join(text)


def made_formats() -> str:
    """A row for each format of logs that has a name."""
    presets = tomllib.loads((ROOT / "workbench/sources/data/log-formats.toml").read_text("utf-8"))
    rows = ["| format | also | of which page |", "| --- | --- | --- |"]
    for name, preset in presets.items():
        also = ", ".join(f"`{other}`" for other in preset.get("also", ()))
        rows.append(f"| `{name}` | {also} | {preset['docs']} |")
    return "\n".join(rows)


def renewed(name: str, page: str) -> str:
    """The page with the part of that name made anew."""
    made = {
        "layers": made_layers,
        "modules": made_modules,
        "options": made_options,
        "notebooks": made_notebooks,
        "formats": made_formats,
    }[name]
    pattern = re.compile(rf"(<!-- made: {name} -->\n).*?(\n<!-- made: end -->)", re.DOTALL)
    text, times = pattern.subn(lambda found: f"{found[1]}{made()}{found[2]}", page)
    if times != 1:
        sys.exit(f"{PARTS[name]} has no place for what is made of {name}")
    return text


def stale() -> dict[str, str]:
    """The pages that do not say what the code says, with what they must say."""
    pages = {page: (ROOT / page).read_text("utf-8") for page in PARTS.values()}
    wanted = dict(pages)
    for name, page in PARTS.items():
        wanted[page] = renewed(name, wanted[page])
    return {page: text for page, text in wanted.items() if text != pages[page]}


if __name__ == "__main__":
    for page, text in stale().items():
        (ROOT / page).write_text(text, "utf-8")
        print(page)
