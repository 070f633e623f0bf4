"""Files of each format must give the same clicks, and a bad line must never cost more than itself."""

from __future__ import annotations

import gzip
import json
import re
import runpy
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.clicks.files import SAMPLE_LOG, read
from workbench.clicks.intake import NO_VISITOR_SAID
from workbench.clicks.order import order
from workbench.clicks.record import FIELDS, check, frame, parse, records
from workbench.clicks.recording import Recording
from workbench.errors import ClickError
from workbench.rule import Rule, judge

EXPECTED = [
    ("a", "s1", "/ad", datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)),
    ("b", "s1", "/ad", datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)),
    ("c", "s2", "/x", datetime(2026, 1, 2, 3, 4, 7, 500_000, tzinfo=UTC)),
]
TIMES = ["2026-01-02T03:04:05.000006Z", "2026-01-02T05:04:06+02:00", "2026-01-02 03:04:07.5Z"]


def table(**changes: Any) -> pd.DataFrame:
    columns = {
        "click_id": ["a", "b", "c"],
        "session_id": ["s1", "s1", "s2"],
        "url": ["/ad", "/ad", "/x"],
        "ts": TIMES,
    }
    return pd.DataFrame(columns | changes)


def write(folder: Path, kind: str, df: pd.DataFrame) -> Path:
    path = folder / f"some.{kind}"
    if kind == "csv":
        df.to_csv(path, index=False)
    elif kind == "parquet":
        df.to_parquet(path, index=False)
    else:
        df.to_json(path, orient="records", lines=True)
    return path


def rows(recording: Recording) -> list[tuple[Any, ...]]:
    assert recording.lines == len(recording.clicks) + len(recording.rejected) + sum(recording.filtered.values())
    assert list(recording.rejected.columns) == ["file", "line", "reason", "text"]
    clicks = check(recording.clicks)
    return list(clicks[list(FIELDS)].itertuples(index=False, name=None))


def text_file(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


kinds = pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])


@kinds
def test_a_table_gives_its_clicks(tmp_path: Path, kind: str) -> None:
    recording = read(write(tmp_path, kind, table()))
    assert rows(recording) == EXPECTED
    assert list(recording.clicks.columns) == list(FIELDS)


@kinds
def test_columns_are_mapped(tmp_path: Path, kind: str) -> None:
    mapping = {"session_id": "visitor", "ts": "when", "label": "truth"}
    names = {"session_id": "visitor", "ts": "when"}
    path = write(tmp_path, kind, table(truth=["person", "burst_bot", "person"]).rename(columns=names))
    recording = read(path, mapping)
    assert rows(recording) == EXPECTED
    assert recording.clicks["label"].tolist() == ["person", "burst_bot", "person"]


@kinds
def test_one_column_may_serve_two_fields(tmp_path: Path, kind: str) -> None:
    recording = read(write(tmp_path, kind, table()), {"click_id": "ts"})
    assert recording.clicks["click_id"].tolist() == TIMES


@kinds
def test_a_missing_column_is_an_error_that_names_the_near_ones(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind, table().rename(columns={"session_id": "Visitor_ID"}))
    with pytest.raises(ClickError, match=r"no column 'visitor'; .* --map session_id=Visitor_ID,url=url,ts=ts"):
        read(path, {"session_id": "visitor"})
    assert rows(read(path)) == EXPECTED


@kinds
def test_a_mapping_of_no_field_is_an_error_that_names_the_fields(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ClickError, match=r"'session'.*session_id\?"):
        read(write(tmp_path, kind, table()), {"session": "session_id"})


@kinds
@pytest.mark.parametrize(("unit", "per_second"), [("s", 1), ("ms", 1000), ("us", 1_000_000)])
def test_epochs_are_read_in_seconds_milliseconds_and_microseconds(
    tmp_path: Path, kind: str, unit: str, per_second: int
) -> None:
    seconds = [1_767_323_045, 1_767_323_046, 1_767_323_047]
    recording = read(write(tmp_path, kind, table(ts=[s * per_second for s in seconds])))
    assert recording.clicks["ts"].tolist() == [datetime.fromtimestamp(s, UTC) for s in seconds], unit


@given(st.integers(700_000_000 * 10**6, 1_760_000_000 * 10**6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
def test_an_epoch_with_a_fraction_is_exact_to_the_microsecond(tmp_path: Path, us: int) -> None:
    path = text_file(tmp_path, "x.csv", "session_id,url,ts", f"s,/,{us // 10**6}.{us % 10**6:06}")
    assert read(path).clicks["ts"].astype("int64").tolist() == [us]


def test_real_timestamps_in_parquet_are_read_and_naive_ones_refused(tmp_path: Path) -> None:
    when = pd.Series([ts for *_, ts in EXPECTED])
    for there in (when, when.dt.tz_convert("Asia/Kolkata").dt.as_unit("ns")):
        assert rows(read(write(tmp_path, "parquet", table(ts=there)))) == EXPECTED
    with pytest.raises(ClickError, match="without a zone"):
        read(write(tmp_path, "parquet", table(ts=when.dt.tz_localize(None))))


def test_whole_numbers_are_ids_and_dictionary_columns_are_text(tmp_path: Path) -> None:
    odd = table(
        click_id=[1, 2, 3],
        session_id=pd.Series([7, 7, None], dtype="Int64"),
        url=pd.Categorical(["/ad", "/ad", "/x"]),
    )
    recording = read(write(tmp_path, "parquet", odd))
    assert recording.clicks[["click_id", "session_id", "url"]].to_numpy().tolist() == [
        ["1", "7", "/ad"],
        ["2", "7", "/ad"],
    ]
    assert recording.filtered == {NO_VISITOR_SAID: 1}


@kinds
def test_without_click_ids_they_are_made_of_name_and_line(tmp_path: Path, kind: str) -> None:
    recording = read(write(tmp_path, kind, table().drop(columns="click_id")))
    first = 2 if kind == "csv" else 1  # the header is line 1
    assert recording.clicks["click_id"].tolist() == [f"some.{kind}:{first + i}" for i in range(3)]


GOOD_LINES = [
    b'{"session_id":"s","url":"/","ts":1767323045}',
    b"s,/,1767323045",
    b's,"/a",1767323045',
    b'192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/1.1" 200 5',
]
BAD_TIMES = [
    "",
    "2026-01-02T03:04:05",
    "02/01/2026",
    "noon",
    "nan",
    "inf",
    "1e300",
    "2026-02-30T00:00:00Z",
]


@pytest.mark.parametrize("ts", BAD_TIMES)
def test_a_bad_time_costs_its_row_only(tmp_path: Path, ts: str) -> None:
    recording = read(write(tmp_path, "csv", table(ts=[TIMES[0], ts, TIMES[2]])))
    assert rows(recording) == [EXPECTED[0], EXPECTED[2]]
    assert recording.rejected["line"].tolist() == [3]
    assert recording.rejected["reason"].tolist()[0].startswith("ts ")


def test_bad_rows_of_csv_are_kept_with_line_reason_and_text(tmp_path: Path) -> None:
    lines = [
        "click_id,session_id,url,ts",
        "a,s1,/ad," + TIMES[0],
        "b,s1",
        "",
        "c,,/x," + TIMES[2],
        "d,s1,/x,1,2",
    ]
    recording = read(text_file(tmp_path, "x.csv", *lines))
    assert rows(recording) == EXPECTED[:1]
    assert recording.rejected.to_numpy().tolist() == [
        ["x.csv", 3, "2 cells, not 4", "b,s1"],
        ["x.csv", 4, "empty line", ""],
        ["x.csv", 6, "5 cells, not 4", lines[5]],
    ]
    assert recording.filtered == {"header": 1, NO_VISITOR_SAID: 1}


def test_a_quote_left_open_in_csv_does_not_stop_the_reading(tmp_path: Path) -> None:
    good = ["a,s1,/ad," + TIMES[0]]
    filler = ["x" * 1000] * 200  # the open cell outgrows the limit of a field
    recording = read(text_file(tmp_path, "x.csv", "click_id,session_id,url,ts", *good, 'b,"s1,/ad', *filler, *good))
    assert rows(recording)[0] == rows(recording)[-1] == EXPECTED[0]
    assert recording.rejected["reason"].tolist() == ["opening quote without an end"] + ["1 cells, not 4"] * 200


@pytest.mark.parametrize("divider", [",", ";", "\t", "|"])
def test_the_divider_of_csv_is_told_by_its_header(tmp_path: Path, divider: str) -> None:
    lines = [divider.join(row) for row in [["session_id", "url", "ts"], ["s1", '"/a"', TIMES[0]]]]
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert rows(read(path)) == [("x.csv:2", "s1", "/a", EXPECTED[0][3])]


@pytest.mark.parametrize("content", ["session_id,url\n", "session_id,url,ts,url\n"])
def test_a_csv_without_the_columns_is_an_error_even_without_rows(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content)
    with pytest.raises(ClickError, match="column"):
        read(path)


def test_bad_lines_of_json_are_kept_with_line_reason_and_text(tmp_path: Path) -> None:
    good = json.dumps({"session_id": "s1", "url": "/ad", "ts": TIMES[0]})
    bad = [
        "{",
        "[1]",
        "null",
        "",
        '{"url": "/ad"}',
        '{"session_id": "\\ud800", "url": "/", "ts": 5}',
        '{"session_id": "s", "url": "/", "ts": true}',
    ]
    recording = read(text_file(tmp_path, "x.jsonl", good, *bad))
    assert len(rows(recording)) == 1
    assert recording.rejected["line"].tolist() == [2, 3, 4, 5, 6, 7, 8]
    assert recording.rejected["text"].tolist() == bad
    reasons = recording.rejected["reason"].tolist()
    assert reasons[:4] == ["not JSON", "not a JSON object", "not a JSON object", "empty line"]
    assert reasons[4:] == ["ts is empty", "not JSON: half of a surrogate pair is no text", "ts is no time"]


@given(
    st.lists(
        st.binary(max_size=30) | st.sampled_from(GOOD_LINES) | st.sampled_from([b"\n", b'"', b",", b'x"', b"\0"]),
        max_size=12,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_any_bytes_are_read_or_refused_and_every_line_is_accounted_for(tmp_path: Path, parts: list[bytes]) -> None:
    for name, head in (("x.log", b""), ("x.jsonl", b""), ("x.csv", b"session_id,url,ts\n")):
        path = tmp_path / name
        path.write_bytes(head + b"\n".join(parts))
        try:
            recording = read(path)
        except ClickError:
            continue
        assert len(rows(recording)) == len(list(records(recording.clicks)))


def test_what_was_sent_can_be_read_back(tmp_path: Path) -> None:
    clicks = read(SAMPLE_LOG).clicks
    path = tmp_path / "sent.jsonl"
    path.write_bytes(b"".join(value + b"\n" for _, value, _ in records(clicks)))
    again = read(path)
    pd.testing.assert_frame_equal(again.clicks, clicks)
    pd.testing.assert_frame_equal(frame(parse(line) for line in path.read_bytes().splitlines()), clicks)


def test_clicks_are_sorted_by_time_and_ties_stay_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "csv", table(ts=[TIMES[2], TIMES[0], TIMES[0]]))
    assert read(path).clicks["click_id"].tolist() == ["b", "c", "a"]


@pytest.mark.parametrize("name", ["x.log", "x.jsonl"])
def test_an_empty_file_gives_empty_frames_with_their_columns(tmp_path: Path, name: str) -> None:
    recording = read(text_file(tmp_path, name))
    assert rows(recording) == []
    assert recording.lines == 0
    assert str(recording) == "0 lines: 0 clicks; 0 left out, 0 rejected"


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_the_format_is_told_by_the_first_line_whatever_the_name(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind, table())
    assert rows(read(path.rename(tmp_path / "export.log"))) == EXPECTED


def test_a_log_is_told_by_its_first_line(tmp_path: Path) -> None:
    path = tmp_path / "access.txt"
    path.write_bytes(gzip.decompress(SAMPLE_LOG.read_bytes()))
    assert len(read(path).clicks) == len(read(SAMPLE_LOG).clicks)


def test_a_format_that_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    path = text_file(tmp_path, "notes.txt", "hello")
    with pytest.raises(ClickError, match="'hello'; pass --format, one of log, csv, parquet, jsonl"):
        read(path)
    with pytest.raises(ClickError, match="no log format"):
        read(path, {"format": "log"})
    assert len(read(path, {"log_format": "combined"}).rejected) == 1


def test_packed_and_plain_give_the_same_ids(tmp_path: Path) -> None:
    plain = tmp_path / "sample-access.log"
    plain.write_bytes(gzip.decompress(SAMPLE_LOG.read_bytes()))
    pd.testing.assert_frame_equal(read(plain).clicks, read(SAMPLE_LOG).clicks)


def test_files_that_cannot_be_opened_are_errors_of_ours(tmp_path: Path) -> None:
    with pytest.raises(ClickError, match="cannot read"):
        read(tmp_path / "nowhere.log")
    with pytest.raises(ClickError, match="no file to read in the folder"):
        read(tmp_path)
    broken = tmp_path / "x.parquet"
    broken.write_bytes(b"PAR1 and no more")
    with pytest.raises(ClickError, match="Parquet"):
        read(broken)


def test_bytes_that_are_no_utf_8_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    start = b'192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET '
    path.write_bytes(b"".join(start + target + b' HTTP/1.1" 200 5\n' for target in (b"/\xe9", b"/\xe8", "/é".encode())))
    assert read(path).clicks["url"].tolist() == [r"/\xe9", r"/\xe8", "/é"]


def test_a_longer_idle_gap_joins_sessions_and_changes_no_click() -> None:
    short, long = (read(SAMPLE_LOG, {"idle_gap": gap}).clicks for gap in ("1m", "24h"))
    assert short["session_id"].nunique() > long["session_id"].nunique()
    assert long["session_id"].str.endswith("/v1").all()
    pd.testing.assert_frame_equal(short.drop(columns="session_id"), long.drop(columns="session_id"))


def test_a_progress_bar_reaches_the_end_of_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    read(SAMPLE_LOG, progress=True)
    assert "100%" in capsys.readouterr().err


def test_the_sample_is_what_its_generator_makes() -> None:
    made = runpy.run_path(str(Path(__file__).parents[3] / "bench" / "sample_log.py"))["lines"]()
    assert gzip.decompress(SAMPLE_LOG.read_bytes()).decode().splitlines() == made


def test_the_sample_is_counted_alike_without_the_reader() -> None:
    text = gzip.decompress(SAMPLE_LOG.read_bytes()).decode().splitlines()
    found = [re.search(r'\[(\d.{25})\] "(GET|POST) (\S+) HTTP', line) for line in text]
    pages = []
    for match in found:
        if match and not re.search(r"\.(css|js|svg|webp|woff2|ico|txt)$", match[3]) and not match[1].startswith("99"):
            pages.append((datetime.strptime(match[1], "%d/%b/%Y:%H:%M:%S %z"), match[3]))
    truncated = [line for line in text if line.count('"') % 2]
    clicks = read(SAMPLE_LOG).clicks
    assert len(pages) - len(truncated) == len(clicks)
    kept = set(pages)
    assert all((ts.to_pydatetime(), url) in kept for ts, url in zip(clicks["ts"], clicks["url"], strict=True))


def test_the_sample_holds_what_it_is_meant_to_show() -> None:
    recording = read(SAMPLE_LOG)
    assert len(rows(recording)) > 1_000
    assert (recording.lines, sum(recording.filtered.values()), len(recording.rejected)) == (1_800, 776, 6)
    assert recording.rejected["reason"].nunique() == 6
    judged = judge(recording.clicks, Rule())
    assert 0.05 < judged["fraud"].mean() < 0.3
    assert judged.loc[judged["fraud"], "session_id"].nunique() > 5
    assert json.dumps(judged["user_agent"].unique().tolist()).count("Kiosk") == 1


@pytest.mark.parametrize("take", [check, order, lambda clicks: judge(clicks, Rule())], ids=["send", "tune", "judge"])
def test_what_is_wanted_of_a_recording_is_its_clicks_and_the_error_says_so(take: Callable[[Any], object]) -> None:
    recording = read(SAMPLE_LOG)
    with pytest.raises(ClickError, match=r"a DataFrame: got Recording\. Fix: give its `clicks`"):
        take(recording)
    take(recording.clicks)
