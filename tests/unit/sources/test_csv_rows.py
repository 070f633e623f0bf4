"""A stray quote costs its line and no other, and each physical line of a CSV file is in exactly one row."""

from __future__ import annotations

import csv
import io
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_rows import read_csv, read_file

from workbench.errors import ClickError
from workbench.sources import csv_rows as module
from workbench.sources.csv_rows import (
    AMBIGUOUS,
    CONTINUATION,
    HEADER,
    HEADER_AGAIN,
    LONG_CELL,
    OPEN_QUOTE,
    STRAY_QUOTE,
    TITLE,
    TOTAL,
    csv_rows,
)
from workbench.text import LONGEST_TEXT

HEAD = "session_id,url,ts,user_agent\n"
ROW = "s1,/ad,2026-01-02T03:04:01Z,Mozilla\n"
CELLS = ["s1", "/ad", "2026-01-02T03:04:01Z", "Mozilla"]


def cells(text: str) -> list[list[str]]:
    return [list(row.values()) for row in read_csv(text).rows.values()]


def test_a_stray_opening_quote_costs_its_line_only() -> None:
    read = read_file("22-open-quote/min.csv")
    assert read.problem == {2: OPEN_QUOTE}
    assert read.aside == {1: HEADER}
    assert read.column("ts") == ["2026-01-02T03:04:02Z", "2026-01-02T03:04:03Z"]


@pytest.mark.parametrize("at", [{10}, {0}, {999}, {10, 700}, {10, 11}, {5, 6, 7}, set(range(1000))])
@pytest.mark.parametrize("cell", [1, 3])
def test_stray_quotes_do_not_close_each_other(at: set[int], cell: int) -> None:
    lines = []
    for i in range(1000):
        row = [f"s{i}", "Mozilla/5.0", f"2026-01-02T03:{i // 60:02}:{i % 60:02}Z", "/ad"]
        row[cell] = f'"{row[cell]} (iPhone' if i in at else row[cell]
        lines.append(",".join(row))
    read = read_csv("\n".join([HEAD.strip(), *lines]))
    assert set(read.problem) == {i + 2 for i in at}
    assert set(read.problem.values()) == {OPEN_QUOTE}
    assert read.column("session_id") == [f"s{i}" for i in range(1000) if i not in at]


@pytest.mark.parametrize("bad", ['s1,/ad,ts,x"', 's1,/a"d,ts,x', 's1,5" disk,ts,'])
def test_a_quote_inside_a_bare_cell_is_a_part_of_it(bad: str) -> None:
    assert cells(HEAD + bad + "\n" + ROW) == [bad.split(","), CELLS]


@pytest.mark.parametrize(
    "record",
    [
        's1,"https://x\nvictim,/ad,2026-01-02T03:04:01Z,x\n",2026-01-02T03:04:01Z,Mozilla',
        's1,/ad,ts,"Mozilla\nvictim,/ad,ts,Mozilla"',
        's1,/ad,ts,"open\none\nvictim,/ad,ts,x\n\nend"',
        's1,"https://x\nvictim,/ad,ts,x\n",ts,Mozilla,,',
        's1, "https://x\nvictim,/ad,ts,x\n", ts, Mozilla',
        r's1,"https://x \"a\"' + '\nvictim,/ad,ts,x\n",ts,Mozilla',
    ],
)
def test_rows_inside_quotes_that_close_are_nobodys(record: str) -> None:
    read = read_csv(f"{HEAD}{record}\n{ROW}")
    lines = record.count("\n") + 1
    assert read.problem == dict.fromkeys(range(2, 2 + lines), AMBIGUOUS)
    assert read.column("session_id") == ["s1"]


def test_a_cell_in_quotes_may_go_over_lines_which_are_counted_one_by_one() -> None:
    read = read_csv(f'{HEAD}s1,/ad,ts,"one\n\ntwo ""2"", x\nthree"\n{ROW}')
    assert read.rows[2]["user_agent"] == 'one\n\ntwo "2", x\nthree'
    assert read.aside == {1: HEADER, 3: CONTINUATION, 4: CONTINUATION, 5: CONTINUATION}
    assert list(read.rows[6].values()) == CELLS
    first = read_csv(f'{HEAD}"s\n1",/ad,ts,"x\ny"\n{ROW}')
    assert first.rows[2] == {"session_id": "s\n1", "url": "/ad", "ts": "ts", "user_agent": "x\ny"}


@pytest.mark.parametrize(
    "behind",
    [
        "word\n",  # to the end of the file
        'end" more\n',
        'end",one cell too many\n',
    ],
)
def test_what_cannot_be_one_cell_is_read_line_by_line(behind: str) -> None:
    read = read_csv(f'{HEAD}s1,/ad,ts,"open\n{behind}{ROW}')
    assert read.problem[2] == OPEN_QUOTE
    assert list(read.rows.values())[-1]["session_id"] == "s1"
    assert not set(read.aside.values()) & {CONTINUATION}


@pytest.mark.parametrize("lines", [3, 300, 10_000])
@pytest.mark.parametrize("row", ["victim,/ad,ts,x", "word"])
@pytest.mark.parametrize("ends", ['"', '",ts,Mozilla', '","ts","x\ny"'])
def test_no_line_of_a_cell_that_is_far_too_long_is_a_row(lines: int, row: str, ends: str) -> None:
    long = "x" * LONGEST_TEXT
    before = "s1" if len(ends) > 1 else "s1,/ad,ts"
    read = read_csv(f'{HEAD}{before},"{long}\n' + f"{row}\n" * lines + f"{ends}\n{ROW}")
    lines += 2 + ends.count("\n")
    assert read.problem == dict.fromkeys(range(2, 2 + lines), LONG_CELL if row == "word" else AMBIGUOUS)
    assert read.column("session_id") == ["s1"]
    assert not set(read.aside.values()) & {CONTINUATION}


def test_a_quote_that_closes_nowhere_near_costs_its_line_alone() -> None:
    read = read_csv(f'{HEAD}s1,/ad,ts,"open\n' + ROW * 20_000 + f's1,/ad,ts,"open\n{ROW}s1,"/ad,ts,x\n{ROW}')
    assert [*read.problem.values()] == [OPEN_QUOTE] * 3
    assert len(read.rows) == 20_002


def test_quotes_escaped_by_backslashes_are_read_and_told() -> None:
    read = read_file("37-backslash/a.csv")
    assert read.column("user_agent") == ['Moz "x", y'] * 4
    assert read.notes == {"rows whose quotes are escaped by backslashes": 4}
    windows = r'"C:\dir\","/ad","ts","x"'
    assert cells(f"{HEAD}{windows}\n") == [["C:\\dir\\", "/ad", "ts", "x"]]
    assert cells(HEAD + r's1,/ad,ts,"a \"b\"' + "\n" + r'c \\ \"d\""' + "\n") == [
        ["s1", "/ad", "ts", 'a "b"\nc \\ "d"']
    ]


def test_a_backslash_before_the_end_of_a_line_in_a_cell_escapes_nothing() -> None:
    assert cells(f'{HEAD}"s1","/ad","ts","\\""\n"\n{ROW}') == [["s1", "/ad", "ts", '\\"\n'], CELLS]


def test_blanks_before_quotes_are_passed_over_and_told() -> None:
    read = read_csv(f'{HEAD}s1, "/ad,7", "ts", "x"\n')
    assert list(read.rows[2].values()) == ["s1", "/ad,7", "ts", "x"]
    assert read.notes == {"rows with blanks before quotes": 1}
    assert cells(f'{HEAD}s1, "/ad\n7", ts, "x"\n') == [["s1", "/ad\n7", " ts", "x"]]


def test_rows_of_other_lengths_are_refused_by_line() -> None:
    read = read_csv(f'{HEAD}s1,/ad\n\n{ROW}s1,/ad,ts,x,y\ns1,"/ad"x,ts,y\n')
    assert read.problem == {2: "2 cells, not 4", 3: "empty line", 5: "5 cells, not 4", 6: STRAY_QUOTE}
    assert list(read.rows) == [4]


def test_empty_cells_behind_the_last_column_are_passed_over_and_told() -> None:
    read = read_csv(f'{HEAD}s1,/ad,ts,x,\ns1,/ad,ts,"x",,\ns1,/ad,ts,x,,y\n')
    assert [list(row.values()) for row in read.rows.values()] == [["s1", "/ad", "ts", "x"]] * 2
    assert read.problem == {4: "6 cells, not 4"}
    assert read.notes == {"rows with empty cells behind the last column": 2}


def test_cells_without_end_or_bounds_are_refused() -> None:
    read = read_csv(f'{HEAD}s1,/ad,ts,"{"x" * 200_000}"\ns1,/ad,ts,{"y" * (1 << 20)}\n{ROW}')
    assert read.problem == {
        2: "a cell of more than 131,072 characters",
        3: "longer than 1,048,576 characters",
    }
    assert list(read.rows[4].values()) == CELLS


def test_control_characters_are_parts_of_cells() -> None:
    assert cells(f"{HEAD}s\x001,/ad,ts,\x0b\x1f\x85\u2028\n") == [["s\x001", "/ad", "ts", "\x0b\x1f\x85\u2028"]]
    assert cells(f'{HEAD}s\r1,/ad,ts,"a,\rb"\n') == [["s\r1", "/ad", "ts", "a,\rb"]]


def test_titles_and_totals_of_exports_are_no_rows() -> None:
    for name, above in (("title-utf8", 2), ("utf16", 2), ("utf16-noTitle", 0)):
        read = read_file(f"21-utf16/{name}.csv")
        assert read.names == ["session_id", "url", "ts"]
        assert read.column("ts") == [f"2026-01-02T03:04:0{i}+01:00" for i in (1, 2, 3, 4)]
        assert list(read.aside.values()) == [TITLE] * above + [HEADER, TOTAL], name
        assert read.lines == list(range(1, above + 7))


@pytest.mark.parametrize(
    "total", ["Total,,,", "Total: 5,--,--,", '"Total: Campaigns",-, ,"1,234"', "Grand total,1,2.5%,$3.00"]
)
def test_a_line_of_totals_has_nothing_but_figures(total: str) -> None:
    assert read_csv(f"{HEAD}{ROW}{total}\n").aside[3] == TOTAL
    assert 3 in read_csv(f"{HEAD}{ROW}Total,/ad,2026-01-02T03:04:01Z,x\n").rows
    assert 3 in read_csv(f"{HEAD}{ROW}totality,,,\n").rows


def test_the_header_of_a_second_file_is_no_row() -> None:
    read = read_csv(f"\ufeff{HEAD}{ROW}\ufeff{HEAD}{ROW}{HEAD}")
    assert read.aside == {1: HEADER, 3: HEADER_AGAIN, 5: HEADER_AGAIN}


def test_a_column_that_is_there_twice_must_not_be_needed() -> None:
    assert read_file("33-dup-header/a.csv", ["session_id", "url", "ts"]).column("session_id") == ["s1"] * 4
    with pytest.raises(ClickError, match="'Clicks' more than once"):
        read_file("33-dup-header/a.csv", ["Clicks"])


def test_the_headers_of_ad_networks_are_read() -> None:
    flyer = read_file("20-appsflyer/clicks.csv")
    assert flyer.names[:4] == ["Attributed Touch Type", "Attributed Touch Time", "Media Source", "Campaign"]
    assert flyer.column("Campaign") == ["Lamp, winter"] * 4
    talking = read_file("15-talkingdata/train_sample.csv", ["ip", "click_time", "nowhere"])
    assert talking.rows[2] == {"ip": "87540", "click_time": "2017-11-07 09:30:31", "nowhere": None}
    assert len(talking.rows) == 6
    assert read_file("18-bigquery/export.csv").column("event_timestamp")[0] == "2023-05-01 12:34:51.789000 UTC"


def test_names_of_a_header_and_rows_may_go_over_lines_from_the_start() -> None:
    text = '"Avg.\nCPC",url,"ts"\n' + '1,/ad,"hello, world\nhow, are\nyou, all"\n' * 30
    read = read_csv(text)
    assert read.names == ["Avg. CPC", "url", "ts"]
    assert read.aside[1] == HEADER
    assert read.column("ts") == ["hello, world\nhow, are\nyou, all"] * 30
    assert not read.problem


def test_an_empty_file_asks_for_its_columns() -> None:
    for text in ("", "\n\n"):
        read = read_csv(text, [])
        assert read.names == []
        assert not read.rows


TEXT = st.text(st.sampled_from('ab "\\\n\r\0é;'), max_size=12)


@given(st.lists(st.lists(TEXT, min_size=3, max_size=3), max_size=8), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=300, deadline=None)
def test_what_a_writer_of_csv_wrote_is_read_as_it_was(table: list[list[str]], end: str) -> None:
    table = [[cell.replace("\r", " ") for cell in row] for row in table]
    out = io.StringIO()
    csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([["a", "b", "c"], *table])
    read = read_csv(out.getvalue())
    assert [list(row.values()) for row in read.rows.values()] == table
    assert not read.problem


PIECES = [
    '"',
    '""',
    ",",
    "\n",
    "\r\n",
    "\r",
    '\\"',
    "\\",
    "a",
    ROW,
    '"x",',
    '"q\nr"',
    " ",
    "Total,,,\n",
    "\0",
    "é",
    ";",
]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.booleans(), st.sampled_from([1, 2, 100]))
@settings(max_examples=400, deadline=None)
def test_each_physical_line_is_in_exactly_one_row(text: str, header: bool, chunk: int) -> None:
    lines = (HEAD if header else "") + text
    physical = lines.split("\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK_ROWS", chunk)
        taken = list(csv_rows(iter(physical), "x.csv", lambda names: []))
    told = [(int(line), rows.text(i)) for rows in taken for i, line in enumerate(rows.line)]
    assert told == list(enumerate(physical, 1))


@pytest.mark.parametrize("line", ['s1,/ad,ts,"x', '"', '"""",b,c', 'x","y","', 'a,"\\"\\"x', '"a\\""b'])
def test_no_line_is_looked_at_again_and_again(line: str) -> None:
    read = read_csv(HEAD + f"{line}\n" * 20_000 + ROW)
    assert len(read.lines) == 20_002


def test_rows_go_on_behind_the_end_of_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    text = HEAD + "".join(itertools.islice(itertools.cycle([ROW, 's1,/ad,ts,"a\nb\nc"\n', 's1,/ad,ts,"a\n']), 60))
    whole = read_csv(text)
    for chunk in (1, 2, 3, 7, 59):
        monkeypatch.setattr(module, "CHUNK_ROWS", chunk)
        assert read_csv(text) == whole
