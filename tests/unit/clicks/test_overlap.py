"""The same records in two inputs are told by one line with their number, and nothing of inputs that only are alike."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from workbench.clicks import overlap
from workbench.clicks.files import read
from workbench.clicks.overlap import Overlap
from workbench.clicks.recording import Recording

LINE = '203.0.113.{} - - [02/Jan/2026:03:{:02}:{:02} +0000] "GET /ad{} HTTP/1.1" 200 5 "-" "Firefox"\n'
LINES = [LINE.format(i % 7, i // 60, i % 60, i % 3) for i in range(200)]


def log(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(lines))
    return path


def said(found: Recording) -> tuple[list[str], list[str]]:
    """Of the warnings and of the notes, what is said of it."""
    assert found.lines == len(found.clicks) + len(found.rejected) + sum(found.filtered.values())
    return tuple([text for text in texts if "two inputs" in text] for texts in (found.warnings, found.notes))  # type: ignore[return-value]


def test_a_file_that_is_there_twice_is_told_on_top(tmp_path: Path) -> None:
    one, copy = log(tmp_path / "access.log", LINES), log(tmp_path / "copy.log", LINES)
    (text,), noted = said(read([one, copy]))
    assert text.startswith("200 clicks are in two inputs alike, as in access.log and copy.log: ")
    assert noted == []
    merged = read([one, copy], {"merge_repeats": "1ms"})  # as it says
    assert len(merged.clicks) == len(read(one).clicks) == 200
    assert said(merged) == ([], [])


def test_exports_that_overlap_are_told_with_how_far(tmp_path: Path) -> None:
    parts = [log(tmp_path / "a.log", LINES[:120]), log(tmp_path / "b.log", LINES[90:])]
    (text,), _ = said(read(parts))
    assert text.startswith("30 clicks are in two inputs alike, as in a.log and b.log: ")


def test_inputs_that_follow_each_other_or_share_a_second_are_not_accused(tmp_path: Path) -> None:
    assert said(read([log(tmp_path / "a.log", LINES[:120]), log(tmp_path / "b.log", LINES[120:])])) == ([], [])
    # Two servers that share the clicks, and one visitor who was quick on both.
    parts = [log(tmp_path / "c.log", LINES[::2]), log(tmp_path / "d.log", [*LINES[1::2], LINES[10], LINES[100]])]
    warned, (note,) = said(read(parts))
    assert warned == []
    assert note.startswith("2 clicks are in two inputs alike")


def test_clicks_with_ids_of_their_own_count_once_and_it_is_told(tmp_path: Path) -> None:
    rows = "".join(f"c{i},s{i},/ad,2026-01-02T03:04:{i:02}Z\n" for i in range(9))
    parts = [log(tmp_path / name, ["click_id,session_id,url,ts\n", rows]) for name in ("a.csv", "b.csv")]
    warned, (note,) = said(read(parts))
    assert warned == []
    assert note == "9 clicks are in two inputs alike, as in a.csv and b.csv; by their click_id they count once"


def test_clicks_that_repeat_in_one_input_are_not_in_two(tmp_path: Path) -> None:
    parts = [log(tmp_path / "a.log", LINES[:9] * 3), log(tmp_path / "b.log", LINES[9:20])]
    assert said(read(parts)) == ([], [])


def test_of_very_many_clicks_a_share_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "_KEPT", 1000)
    ts = pd.Series(pd.date_range("2026-01-02", periods=4000, freq="1s", tz="UTC")).dt.as_unit("us")
    clicks = pd.DataFrame({"session_id": "s", "url": "/ad", "ip": None, "user_agent": None, "ts": ts})
    found = Overlap()
    for name in ("a", "b"):
        for chunk in range(4):
            found.add(name, clicks.iloc[chunk * 1000 :][:1000])
    text, on_top = found.told() or ("", False)
    about = int(text.removeprefix("about ").split(" ")[0].replace(",", ""))
    assert on_top
    assert 3000 < about < 5000
