"""Ids that lost digits are refused and counted, and one id has one spelling in all inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.clicks.files import read
from workbench.clicks.foreign import Records, topic_mapping
from workbench.clicks.ids import ids, lost_digits
from workbench.clicks.mapping import Mapping
from workbench.clicks.recording import Recording

TS = pd.Series(pd.date_range("2026-01-02", periods=4, freq="1s", tz="UTC")).dt.as_unit("us")


def parquet(path: Path, **columns: Any) -> Recording:
    pd.DataFrame({"session_id": "s1", "url": "/ad", "ts": TS} | columns).to_parquet(path / "clicks.parquet")
    found = read(path / "clicks.parquet")
    assert found.lines == len(found.clicks) + len(found.rejected) + sum(found.filtered.values()) == 4
    return found


def csv(path: Path, *sessions: str) -> Path:
    rows = [f"{who},/ad,2026-01-02T03:04:{i:02}Z" for i, who in enumerate(sessions)]
    path.write_text("\n".join(["session_id,url,ts", *rows]) + "\n")
    return path


def who(found: Recording) -> list[str]:
    return list(found.clicks["session_id"])


def test_ids_that_a_spreadsheet_cut_are_rejected_and_the_others_kept(tmp_path: Path) -> None:
    found = read(csv(tmp_path / "a.csv", "1.23457E+12", "1.23457E+12", '"1,2E+15"', "12345", "1e3", "5E12"))
    assert who(found) == ["12345", "1e3", "5E12"]  # short hexadecimal ids look like the last two
    assert found.rejected["reason"].tolist() == [lost_digits("session_id")] * 3


@pytest.mark.parametrize("field", ["session_id", "url", "click_id"])
@pytest.mark.parametrize(
    ("values", "kept"),
    [
        (np.array([2.0**53 - 1, 2.0**53, 2.0**53 + 2, 7]), ["9007199254740991", "7"]),
        (np.array([2**24 - 1, 2**24, 2**24 + 2, 7], np.float32), ["16777215", "7"]),
        (np.array([1.5, np.nan, 7, 8]), ["7", "8"]),
    ],
)
def test_floating_point_ids_of_parquet_are_whole_and_exact_or_rejected(
    tmp_path: Path, field: str, values: Any, kept: list[str]
) -> None:
    found = parquet(tmp_path, **{field: values})
    assert found.clicks[field].to_list() == kept
    assert lost_digits(field) in set(found.rejected["reason"])


def test_large_whole_numbers_are_exact_and_large_floating_point_times_are_times(tmp_path: Path) -> None:
    large = [2**53, 2**53 + 1, 2**53 + 1, 2**62]
    assert who(parquet(tmp_path, session_id=large)) == [str(n) for n in large]
    ns = TS.astype("int64").to_numpy() * 1000.0
    assert parquet(tmp_path, ts=ns).clicks["ts"].equals(TS)


def test_floating_point_ids_of_json_are_rejected_in_files_and_topics(tmp_path: Path) -> None:
    lines = [
        f'{{"session_id":{one},"url":"/ad","ts":"2026-01-02T03:04:05Z"}}'
        for one in ("1.2345e18", "1234567890123456789", '"1.23E+12"', "1026454.4194677", "1e3")
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
    found = read(path)
    assert who(found) == ["1234567890123456789", "1026454.4194677", "1000"]
    assert found.rejected["reason"].tolist() == [lost_digits("session_id")] * 2
    taken = Records(topic_mapping(Mapping()), "t").take([(0, i, line.encode()) for i, line in enumerate(lines)])
    assert taken.clicks["session_id"].to_list() == who(found)
    assert taken.rejected["reason"].tolist() == found.rejected["reason"].tolist()


def test_one_id_is_one_visitor_however_its_files_spell_it(tmp_path: Path) -> None:
    one, other = csv(tmp_path / "a.csv", "1000", "v1"), csv(tmp_path / "b.csv", "1000.0", " v1 ", "1000.00", "007.0")
    found = read([one, other])
    assert sorted(set(who(found))) == ["007.0", "1000", "v1"]
    assert "3 values of session_id read without blanks around them or .0 behind them" in found.notes
    several = read(other, {"session_id": ["session_id", "session_id"]})
    assert who(several)[0] == "1000/1000"


def test_ids_of_ads_and_clicks_are_spelt_once_too(tmp_path: Path) -> None:
    rows = [
        {"session_id": "s", "url": url, "ts": f"2026-01-02T03:04:{i:02}Z", "click_id": f"c{i} "}
        for i, url in enumerate(["/ad", " /ad", "77", "77.0"])
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    found = read(path)
    assert found.clicks["url"].to_list() == ["/ad", "/ad", "77", "77"]
    assert found.clicks["click_id"].to_list() == ["c0", "c1", "c2", "c3"]


@given(st.lists(st.none() | st.text(max_size=9) | st.sampled_from(["1.0", " 1 ", "1.2E+11", "a.0", "01.0", "\t"])))
def test_a_tidy_id_is_tidy(values: list[str | None]) -> None:
    found = ids(pd.Series(values, dtype=object))
    again = ids(found.tidy)
    assert again.tidy.to_list() == found.tidy.to_list()
    assert again.changed == 0
    assert again.lost.tolist() == found.lost.tolist()
    untouched = [text for text in values if text and text == text.strip(" \t\n\r\f\v") and not text.endswith("0")]
    assert set(untouched) <= set(found.tidy.to_list())
