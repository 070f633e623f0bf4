"""README, CONTRIBUTING and CHANGELOG against the code: commands, options, what they print, links, modules, version."""

from __future__ import annotations

import argparse
import ast
import contextlib
import gzip
import importlib
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from workbench import __version__
from workbench.cli.parser import make_parser
from workbench.clicks.files import SAMPLE_LOG
from workbench.clicks.traffic import Traffic

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
COMMANDS = set(make_parser()[1])
OTHER_TOOLS = ("docker ", "curl ", "conda ", "pip ", "apt-get ", "spark-class", "`bench/")


def blocks(language: str) -> list[str]:
    """The README's blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def console() -> list[tuple[str, list[str]]]:
    """Each command of the README's console blocks, without its comment, and the lines that it says are printed."""
    found: list[tuple[str, list[str]]] = []
    for line in "\n".join(blocks("console")).splitlines():
        if line.startswith("$ "):
            found.append((line[2:].partition(" #")[0].strip(), []))
        elif line.strip():
            found[-1][1].append(line.rstrip())
    return found


def subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands of a parser, or the actions of a command."""
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: made for action in actions for name, made in action.choices.items()}


def test_the_table_of_commands_names_every_command_and_no_other() -> None:
    section = README.partition("\n## The command\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`workbench [^|]*) \|", section, re.MULTILINE)
    named: list[str] = []
    for cell in cells:
        first, *others = re.findall(r"`([^`]+)`", cell)
        command = first.split()[1]
        actions = subparsers(subparsers(make_parser()[0])[command]) if command in COMMANDS else {}
        named += [command, *(other for other in others if other not in actions)]
    assert {"missing": sorted(COMMANDS - {*named}), "unknown": sorted({*named} - COMMANDS)} == {
        "missing": [],
        "unknown": [],
    }
    assert [name for name, times in Counter(named).items() if times > 1] == []


def test_every_command_in_the_readme_is_one_that_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for line, _ in console()] + re.findall(r"`(workbench [a-z][^`<]*)`", README)
    looked_at = 0
    for line in lines:
        words = shlex.split(line)
        if words and words[0] == "workbench" and "FILE" not in words:
            with contextlib.suppress(SystemExit):
                make_parser()[0].parse_args(words[1:])
            # `workbench replay` alone names a command and runs nothing.
            said = capsys.readouterr().err
            assert said == "" or "arguments are required" in said, line
            looked_at += 1
    assert looked_at > 25


def test_every_option_in_the_readme_exists() -> None:
    ours = "\n".join(line for line in README.splitlines() if not any(tool in line for tool in OTHER_TOOLS))
    ours = re.sub(r"`--volumes`", "", ours)
    every = list(subparsers(make_parser()[0]).values())
    every += [action for command in every for action in subparsers(command).values()]
    options = {name for parser in every for name in parser._option_string_actions}
    assert sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ours)) - options) == []


@pytest.mark.parametrize("command", ["report", "tune"])
def test_the_readme_shows_what_the_command_prints(command: str, tmp_path: Path) -> None:
    (shown,) = [(line, said) for line, said in console() if line.startswith(f"workbench {command} ")]
    if command == "report":
        (tmp_path / "access.log").write_bytes(gzip.decompress(SAMPLE_LOG.read_bytes()))
        (tmp_path / "workbench").symlink_to(ROOT / "workbench")  # as in a checkout, where the shipped log lies
    else:
        clicks = Traffic(200, "5m", seed=7).clicks(datetime(2026, 1, 2, tzinfo=UTC))
        clicks.to_parquet(tmp_path / "clicks.parquet")
    words = [sys.executable, "-m", *shlex.split(shown[0])]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    told = ran.stderr.splitlines()  # how it goes; the README may leave it out
    assert [line for line in shown[1] if line not in told] == [line.rstrip() for line in ran.stdout.splitlines()]


def test_the_python_of_the_readme_is_python_and_what_it_imports_is_offered() -> None:
    imported = 0
    for block in blocks("python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module:
                for name in node.names:
                    module = importlib.import_module(node.module)
                    if hasattr(module, "__path__") and name.name not in getattr(module, "__all__", ()):
                        importlib.import_module(f"{node.module}.{name.name}")
                    else:
                        assert name.name in module.__all__
                    imported += 1
    assert imported >= 10


def anchors(text: str) -> set[str]:
    """The names by which the headings of a page can be linked to."""
    return {
        re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for link in links:
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        assert not path or (ROOT / path).exists(), link
        if anchor:
            assert anchor in anchors((ROOT / path).read_text("utf-8") if path else text), link


def test_the_parts_of_the_pages_that_are_made_from_the_code_are_up_to_date() -> None:
    stale = runpy.run_path(str(ROOT / "tools" / "docs.py"))["stale"]
    assert sorted(stale()) == [], "run `make docs`"


def test_the_changelog_begins_with_this_version_or_with_what_is_not_released() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert version == __version__
    heads = re.findall(r"^## \[([^\]]+)\](?: – (\S+))?$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert next(head for head, _ in heads if head != "Unreleased") == version
    assert all(head == "Unreleased" or re.fullmatch(r"\d{4}-\d\d-\d\d", date) for head, date in heads)
    kinds = re.findall(r"^### (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert {*kinds} <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_licence_is_apache_2_in_full() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    wanted = [
        "Version 2.0, January 2004",
        *(f"   {number}. " for number in range(1, 10)),
        "END OF TERMS AND CONDITIONS",
    ]
    places = [text.find(part) for part in wanted]
    assert -1 not in places
    assert places == sorted(places)
    assert "APPENDIX: How to apply the Apache License to your work." in text
