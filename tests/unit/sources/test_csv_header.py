"""The header is found by what most lines are like, not by the first one alone."""

from __future__ import annotations

import pytest

from workbench.sources.csv_header import find_header

ROW = "s1,/ad,2026-01-02T03:04:01Z"


@pytest.mark.parametrize("divider", [",", ";", "\t", "|"])
@pytest.mark.parametrize("agent", ["Mozilla/5.0 (X11; Linux; rv:1)", "a|b", "(KHTML, like Gecko)", '"a, b; c|d\te"'])
def test_the_divider_is_told_by_all_of_the_first_lines(divider: str, agent: str) -> None:
    agent = agent if agent.startswith('"') else agent.replace(divider, "_")
    header = find_header([divider.join(["session_id", "url", "ts", "ua"]), *[divider.join(["s", "/", "1", agent])] * 3])
    assert header.divider == divider
    assert header.names == ["session_id", "url", "ts", "ua"]


@pytest.mark.parametrize(
    "titles",
    [
        [],
        ["Click report"],
        ["Click report", "January 1, 2026 - January 2, 2026"],
        ["", "Click report", ""],
        ["Click report,,", "1 January,,"],
        ["sep=,"],
        ['"sep=,"', ""],
    ],
)
def test_titles_are_above_the_header(titles: list[str]) -> None:
    header = find_header([*titles, " session_id , url,ts", *[ROW] * 4])
    assert header.names == ["session_id", "url", "ts"]
    assert (header.line, header.end) == (len(titles) + 1, len(titles) + 1)


def test_what_a_file_says_divides_it_does() -> None:
    assert find_header(["sep=;", "a;b,c", "1,2;3,4"]).names == ["a", "b,c"]
    assert find_header(["SEP=^", "a^b"]).names == ["a", "b"]


@pytest.mark.parametrize("row", [f"{ROW},", "s1,/ad", "s1,/ad,12 Jan 03:04:05,x", "s,t,2026-01-02,x"])
def test_rows_that_do_not_fit_make_no_header_of_a_row(row: str) -> None:
    assert find_header(["session_id,url,ts", *[row] * 10]).line == 1


def test_cells_over_lines_do_not_hide_the_header() -> None:
    rows = ['s1,/ad,"one, two\nthree, four\nfive, six"'] * 20
    header = find_header("\n".join(["session_id,url,ts", *rows]).split("\n")[:50])
    assert header.names == ["session_id", "url", "ts"]


def test_blanks_before_quotes_hide_no_divider() -> None:
    assert find_header(['session_id, "url", "ts"', *['s1, "/ad, 7", "2026-01-02"'] * 3]).names == [
        "session_id",
        "url",
        "ts",
    ]


@pytest.mark.parametrize("lines", [[], [""], ["sep=;"], ['"'], ["\0"]])
def test_no_header_is_none(lines: list[str]) -> None:
    assert not any(find_header(lines).names[1:])
