"""`workbench tune` on clicks as others write them: what it says of them first, and of their labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.cli.parser import main

FIELD = Path(__file__).parents[2] / "data" / "field"
GRID = ["--windows", "10s", "--thresholds", "3"]
COMPOSITE = ["--map", "session_id=ip+device+os,url=channel"]


def tune(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[list[str], list[str]]:
    """What is told of how it goes, and what is printed; line by line."""
    assert main(["tune", *map(str, words), *GRID]) == 0
    told = capsys.readouterr()
    return told.err.splitlines(), told.out.splitlines()


@pytest.mark.parametrize(
    ("case", "words", "share"),
    [
        ("04-xff-tail/access.log", [], "0.0%"),
        ("14-gclid/access.log", [], "75.0%"),
        ("14-gclid/access.log", ["--url-keep", "*"], "0.0%"),
        ("29-reload/access.log", [], "33.3%"),
        ("29-reload/access.log", ["--merge-repeats", "2s"], "0.0%"),
        ("32-probes/access.log", ["--exclude", "/api/poll"], "60.0%"),
        ("35-tz/z.csv", COMPOSITE, "0.0%"),
        ("40-pii/a.csv", [], "25.0%"),
    ],
)
def test_what_the_rule_flags_of_them(
    case: str, words: list[str], share: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told, printed = tune(capsys, FIELD / case, *words)
    assert printed[-1].split() == ["10s", share]
    assert " UTC; " in told[0]


def test_visitors_that_are_not_told_apart_are_told_once_and_before_any_number_of_a_rule(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told, _ = tune(capsys, FIELD / "32-probes" / "access.log")
    (place,) = [number for number, line in enumerate(told) if "one session has 95% of the clicks" in line]
    assert place == 1
    assert "  left out: 150 known crawlers and health checks" in told


def test_several_files_are_one_recording(capsys: pytest.CaptureFixture[str]) -> None:
    told, printed = tune(capsys, *[FIELD / name / "access.log" for name in ("14-gclid", "29-reload")])
    assert "11 lines: 11 clicks" in told[0]
    assert printed[-1].split() == ["10s", "100.0%"]  # three in the first second


def test_labels_that_mean_no_fraud_are_named_with_the_option_to_write(capsys: pytest.CaptureFixture[str]) -> None:
    words: list[str | Path] = [FIELD / "35-tz" / "z.csv", "--map", f"{COMPOSITE[1]},label=is_attributed"]
    told, printed = tune(capsys, *words)
    assert "no label means fraud: there are 0 (5)" in told
    assert "Fix: name those that do: --fraud-labels LABEL[,…]" in told
    assert printed[0].split() == ["window", "3", "clicks"]
    told, printed = tune(capsys, *words, "--fraud-labels", "bat")
    assert "no label means fraud: there are 0 (5)" in told
    told, printed = tune(capsys, *words, "--fraud-labels", "0")
    assert "5 of 5 clicks are labelled as fraud; labels: 0 (5, fraud)" in told
    assert printed[0].split() == ["rule", "flagged", "sessions", "precision", "recall", "F1", "cost"]
    told, printed = tune(capsys, *words, "--fraud-labels", "")
    assert "the clicks have no labels" in told


@pytest.mark.parametrize("labels", ["true,false", "1,0", "True,False"])
def test_labels_that_are_booleans_or_0_and_1_are_labels(
    labels: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = labels.split(",")
    rows = [f"s{i % 2},/ad,2026-01-02T03:04:{i:02}Z,{bad if i % 2 else good}" for i in range(6)]
    (tmp_path / "clicks.csv").write_text("\n".join(["visitor_id,page,timestamp,is_fraud", *rows]))
    told, printed = tune(capsys, tmp_path / "clicks.csv")
    assert f"labels: {good} (3), {bad} (3, fraud)" in told[-1] or f"labels: {bad} (3, fraud), {good} (3)" in told[-1]
    assert printed[0].startswith("rule")


def test_what_cannot_be_tuned_names_the_fix(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", str(FIELD / "35-tz" / "z.csv")]) == 1
    assert capsys.readouterr().err.endswith("Fix: --map session_id=ip+device+os,url=channel,ts=click_time\n")
