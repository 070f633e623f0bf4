"""README, docs, CONTRIBUTING and CHANGELOG against the code: names, options, fields, examples, links, versions."""

from __future__ import annotations

import argparse
import contextlib
import gzip
import inspect
import json
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import pytest
from doc_pages import GUIDE, ROOT, blocks, console, examples, guide

import workbench
from workbench import __version__
from workbench.broker.topics import Topics
from workbench.cli.parser import make_parser
from workbench.clicks.files import SAMPLE_LOG
from workbench.clicks.record import FIELDS, OPTIONAL, parse
from workbench.clicks.traffic import Traffic
from workbench.detector import metrics
from workbench.detector.handle import detect
from workbench.detector.progress import Progress
from workbench.detector.settings import Tolerance
from workbench.durations import duration, format_duration
from workbench.machine.java import JAVA_VERSIONS
from workbench.rule import Rule
from workbench.spark.session import SPARK_VERSION
from workbench.verdicts.feed import Verdict
from workbench.verdicts.table import Counts

PAGES = [*GUIDE, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "bench" / "README.md"]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
DOCS_TOOL = runpy.run_path(str(ROOT / "tools" / "docs.py"))
subparsers: Callable[[argparse.ArgumentParser], dict[str, argparse.ArgumentParser]] = DOCS_TOOL["subparsers"]
COMMANDS = set(make_parser()[1])
OTHER_TOOLS = ("docker ", "curl ", "conda ", "pip ", "apt-get ", "spark-class", "`bench/")


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text("utf-8")


def column(text: str, number: int = 0) -> list[str]:
    """What a page's tables have in backticks, in one column."""
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [name for row in rows if len(row) > number for name in re.findall(r"`([^`]+)`", row[number])]


# --- the guide as a whole -------------------------------------------------------------------------------------------


def test_the_readme_ends_within_200_lines_and_leads_to_every_page() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 200
    led_to = set(re.findall(r"\]\(docs/([a-z-]+)\.md\)", text))
    assert led_to == {path.stem for path in (ROOT / "docs").glob("*.md")}


def test_what_make_test_shows_and_every_target_of_make_is_in_the_makefile() -> None:
    (shown,) = [lines for line, lines in console((ROOT / "README.md").read_text("utf-8")) if line == "make test"]
    recipe = MAKEFILE.partition("\ntest:")[2].partition("\n\n")[0]
    assert shown == re.findall(r'echo "([A-Z][^"]*)"', recipe)
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    pages = "\n".join(path.read_text("utf-8") for path in PAGES)
    assert set(re.findall(r"`make ([a-z-]+)`", pages)) <= targets


def test_the_files_that_the_pages_name_are_there() -> None:
    for path in PAGES:
        if path.name == "CHANGELOG.md":
            continue
        for name in re.findall(
            r"`((?:workbench|tests|bench|docker|tools|notebooks)/[\w./-]*)`", path.read_text("utf-8")
        ):
            found = [*ROOT.glob(name), *ROOT.glob(f"{name}.py")]
            assert found, f"{path.name} names {name}"


def test_the_versions_in_the_guide_are_those_that_are_used() -> None:
    text = guide()
    *first, last = map(str, JAVA_VERSIONS)
    assert f"Java {', '.join(first)} or {last}" in text
    assert set(re.findall(r"Spark (\d+\.\d+\.\d+)", text)) == {SPARK_VERSION}
    assert set(re.findall(r"Python (3\.\d+)", text)) == {"3.11"}


def test_every_variable_of_the_environment_is_described_and_no_other() -> None:
    code = "\n".join(path.read_text("utf-8") for path in (ROOT / "workbench").rglob("*.py"))
    read = set(re.findall(r'"(WORKBENCH_[A-Z_]*[A-Z])"', code)) - {
        "WORKBENCH_RUN"
    }  # set by the workbench for its own JVM
    assert set(re.findall(r"WORKBENCH_[A-Z_]*[A-Z]", guide())) == read


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_table_of_commands_names_every_command_and_no_other() -> None:
    cells = re.findall(r"^\| (`workbench [^|]*) \|", page("command"), re.MULTILINE)
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


def test_every_command_in_the_guide_is_one_that_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for line, _ in console(guide())] + re.findall(r"`(workbench [a-z][^`<]*)`", guide())
    looked_at = 0
    for line in lines:
        words = shlex.split(line)
        if words and words[0] == "workbench" and "FILE" not in words and "NAME=VALUE" not in words:
            with contextlib.suppress(SystemExit):
                make_parser()[0].parse_args(words[1:])
            # `workbench replay` alone names a command and runs nothing.
            said = capsys.readouterr().err
            assert said == "" or "arguments are required" in said, line
            looked_at += 1
    assert looked_at > 35


def test_every_option_in_the_guide_exists() -> None:
    ours = "\n".join(line for line in guide().splitlines() if not any(tool in line for tool in OTHER_TOOLS))
    ours = re.sub(r"`--volumes`|`--help`", "", ours)
    every = list(subparsers(make_parser()[0]).values())
    every += [action for command in every for action in subparsers(command).values()]
    options = {name for parser in every for name in parser._option_string_actions}
    assert sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ours)) - options) == []


@pytest.mark.parametrize(("command", "name"), [("report", "reports"), ("tune", "tuning")])
def test_a_page_shows_what_the_command_prints(command: str, name: str, tmp_path: Path) -> None:
    (shown,) = [(line, said) for line, said in console(page(name)) if line.startswith(f"workbench {command} ")]
    recorded(tmp_path)
    words = [sys.executable, "-m", *shlex.split(shown[0])]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    told = ran.stderr.splitlines()  # how it goes; the page may leave it out
    assert [line for line in shown[1] if line not in told] == [line.rstrip() for line in ran.stdout.splitlines()]


def test_the_page_of_own_data_shows_what_the_commands_say(tmp_path: Path) -> None:
    recorded(tmp_path)
    shown = console(page("own-data"))
    assert len(shown) >= 3
    for line, said in shown:
        words = [sys.executable, "-m", *shlex.split(line)]
        ran = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
        printed, told = ([text.rstrip() for text in output.splitlines()] for output in (ran.stdout, ran.stderr))
        # On stderr the kernel of a report may have a word of its own, where a machine is busy.
        assert [text for text in said if text in printed] == printed, (line, ran.stderr)
        assert [text for text in told if text in said] == [text for text in said if text not in printed], (line, told)


# --- examples in Python ---------------------------------------------------------------------------------------------


def recorded(folder: Path) -> None:
    """The files that the examples read: a log, a table, and the shipped log where a checkout has it."""
    (folder / "access.log").write_bytes(gzip.decompress(SAMPLE_LOG.read_bytes()))
    (folder / "workbench").symlink_to(ROOT / "workbench")
    clicks = Traffic(200, "5m", seed=7).clicks(datetime(2026, 1, 2, tzinfo=UTC))
    clicks.to_parquet(folder / "clicks.parquet")
    for name, text in re.findall(r"`([\w.]+)`[^`]*\n\n```(?:csv|toml)\n(.*?)^```", page("own-data"), re.M | re.S):
        (folder / name).write_text(text, "utf-8")


@pytest.mark.parametrize("name", examples(live=False))
def test_an_example_without_a_broker_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile(examples(live=False)[name], name, "exec"), {"__name__": name})


def test_examples_import_what_anybody_may_import() -> None:
    """Those with a broker run in tests/spark."""
    every = examples(live=False) | examples(live=True)
    assert len(every) >= 7
    assert [name for name, code in every.items() if "import workbench as wb" not in code] == []


def test_every_name_of_the_front_door_that_the_pages_use_exists() -> None:
    pages = "\n".join(path.read_text("utf-8") for path in PAGES)
    names = set(re.findall(r"\bwb((?:\.\w+)+)", pages))
    assert len(names) > 60
    for name in names:
        attrgetter(name.removeprefix("."))(workbench)


# --- records, parameters, metrics -----------------------------------------------------------------------------------


def test_the_records_on_the_page_are_read_as_clicks_and_verdicts() -> None:
    text = page("records")
    click, verdict = (json.loads(block) for block in blocks(text, "json"))
    assert parse(json.dumps(click).encode()).label == click["label"]
    assert Verdict.parse(json.dumps(verdict).encode(), timestamp_ms=0).fraud
    assert verdict["rule_id"] == Rule(f"{verdict['window_ms']}ms", verdict["threshold"]).rule_id
    table = column(text)
    assert [name for name in table if name.startswith("fcd-")] == [*Topics()]
    assert {*column(section(text, "A click"))} == {*FIELDS, *OPTIONAL}
    assert {*column(section(text, "A verdict"))} == {*verdict}
    assert column(section(text, "A dead letter")) == [*metrics.REASONS]
    for name in (*FIELDS, *OPTIONAL, *verdict):
        assert f"`{name}`" in text


def section(text: str, head: str) -> str:
    return text.partition(f"\n## {head}\n")[2].partition("\n## ")[0]


def test_the_defaults_on_the_page_are_those_of_the_code() -> None:
    rows = [line.strip("| ").split(" | ") for line in page("parameters").splitlines() if line.startswith("| `")]
    given = {re.findall(r"`([^`]+)`", row[0])[0]: row[1].strip("`") for row in rows if len(row) == 3}
    of_detect = {name: of.default for name, of in inspect.signature(detect).parameters.items()}
    of_rule = {name: str(of.default) for name, of in inspect.signature(Rule).parameters.items()}
    tolerance = Tolerance()
    assert given == {
        **of_rule,
        "checkpoint_every": of_detect["checkpoint_every"],
        "on_lost_clicks": of_detect["on_lost_clicks"],
        "late": format_duration(duration(tolerance.late)),
        "ahead": format_duration(duration(tolerance.ahead)),
        "--master": "this process",
    }


def test_the_metrics_on_the_page_are_those_that_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = SimpleNamespace(counts=Counts(0, 0, 0, 0, 0, 0, {}), error=None, stop=lambda: None)
    monkeypatch.setattr(metrics, "follow", lambda *_, **__: feed)
    detector: Any = SimpleNamespace(
        progress=Progress("running", 0, 0, 0.0, ()), state="running", rule=Rule(), connection=None, topics=None
    )
    with metrics.listen(metrics.Address(port=0)).watch(detector) as server, urlopen(server.url, timeout=30) as answer:
        kinds = dict(re.findall(r"^# TYPE (workbench_\w+) (\w+)$", answer.read().decode(), re.MULTILINE))
    told = {name.partition("{")[0] for name in column(page("monitoring"))}
    assert told - {"other"} == {*kinds}


# --- links, made parts, version, licence ----------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """The names by which the headings of a page can be linked to."""
    return {
        re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for link in links:
        if "://" in link or link.startswith("mailto:"):
            continue
        target, _, anchor = link.partition("#")
        assert not target or (path.parent / target).exists(), link
        if anchor:
            assert anchor in anchors((path.parent / target).read_text("utf-8") if target else text), link


def test_the_parts_of_the_pages_that_are_made_from_the_code_are_up_to_date() -> None:
    stale = DOCS_TOOL["stale"]
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
