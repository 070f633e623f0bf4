"""Lines of logs as servers really write them, as rows of cells, and lines that were made to do harm."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.clicks.files import read
from workbench.errors import ClickError
from workbench.sources.hosts import hosts
from workbench.sources.log_compile import compiled
from workbench.sources.logs import log_rows
from workbench.sources.presets import NAMES, find, nearest
from workbench.sources.rows import CHUNK_ROWS, Rows

FIELD = Path(__file__).parents[2] / "data" / "field"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"


def line(
    host: str = "192.0.2.7",
    user: str = "-",
    time: str = "02/Jan/2026:03:04:05 +0000",
    request: str = "GET /ad HTTP/1.1",
    tail: str = f'200 512 "-" "{AGENT}"',
) -> str:
    return f'{host} - {user} [{time}] "{request}" {tail}'


def only(text: str, format: str = "combined") -> pd.Series[Any]:
    (rows,) = log_rows([text], format)
    return rows.cells.assign(problem=rows.problem).iloc[0]


def field(name: str) -> Rows:
    (path,) = (FIELD / name.split("/")[0]).glob(name.partition("/")[2] or "*")
    data = path.read_bytes()
    text = (gzip.decompress(data) if name.startswith("11") else data).decode("utf-8", "backslashreplace")
    (rows,) = log_rows(text.splitlines(keepends=True))
    return rows


def who(rows: Rows) -> list[object]:
    return hosts(rows.cells["ip"][(rows.problem == "") & (rows.aside == "")]).to_list()


def test_the_visitor_of_a_log_of_virtual_hosts_is_the_address() -> None:
    assert who(field("01-vhost")) == ["203.0.113.10", "203.0.113.20", "203.0.113.30"]


def test_one_visitor_with_and_without_a_proxy_is_one() -> None:
    assert who(field("03-xff-front")) == ["203.0.113.9"] * 4


def test_behind_a_balancer_the_visitor_is_the_forwarded_one() -> None:
    assert who(field("04-xff-tail")) == [f"203.0.113.{n}" for n in range(1, 7)]


def test_times_to_the_millisecond_without_a_zone_and_leap_seconds() -> None:
    rows = field("06-ms-time")
    assert rows.cells["ts"].to_list() == [
        "2026-01-02T03:04:05.123+01:00",
        "2026-01-02T03:04:05+01:00",
        "2026-01-02T03:04:06",
        None,
    ]
    assert rows.problem.tolist() == ["", "", "", "time is a leap second, which no click can be ordered by"]


def test_a_number_more_before_the_referer_is_passed_over() -> None:
    rows = field("07-extra-number")
    assert rows.problem.tolist() == [""] * 3
    assert rows.cells["user_agent"].str.startswith("Mozilla/5.0 (X11").all()


@pytest.mark.parametrize(
    ("name", "first", "agent"),
    [
        ("08-caddy", "2024-07-30T22:17:48.638059Z", "Mozilla/5.0"),
        ("09-nginx-json", "2022-04-03T20:11:01-07:00", "Mozilla/5.0"),
        ("10-iis", "2014-06-03T05:14:41Z", "Mozilla/5.0 (Windows NT 10.0)"),
        ("11-cloudfront", "2019-12-04T21:02:31Z", "Mozilla/5.0 (X11)"),
        ("12-alb", "2018-07-02T22:23:01.186641Z", "curl/7.46.0"),
    ],
)
def test_other_servers_logs_are_told_and_read(name: str, first: str, agent: str) -> None:
    rows = field(name)
    clicks = rows.cells[(rows.problem == "") & (rows.aside == "")]
    assert who(rows) == ["203.0.113.9"] * 4
    assert set(clicks["url"]) == {"/ad?id=7"}
    assert set(clicks["user_agent"]) == {agent}
    assert clicks["ts"].iloc[0] == first
    assert rows.problem.tolist().count("") == len(rows.line)
    assert set(rows.aside) <= {"", "line of a W3C log that begins with #"}


def test_lines_with_nul_bytes_before_them_are_read_and_told() -> None:
    told = "lines with NUL bytes before them, read without these"
    assert who(field("13-nul-head/nul-three-visitors.log")) == ["203.0.113.10", "203.0.113.20", "203.0.113.30"]
    assert field("13-nul-head/nul-three-visitors.log").notes == {told: 3}
    dcperf = field("13-nul-head/dcperf.log")
    assert who(dcperf) == [f"198.51.100.{n}" for n in range(len(dcperf.line))]
    assert dcperf.notes == {told: 6}
    assert who(field("13-nul-head/access.log")) == ["203.0.113.9"] * 4
    assert who(field("13-nul-head/short-nuls.log")) == ["203.0.113.9"] * 4


def test_odd_lines_are_read_or_rejected_with_their_reason() -> None:
    rows = field("28-odd-lines")
    assert rows.problem.tolist() == ["not an HTTP request", "no request", *[""] * 9]
    assert rows.cells["url"].to_list()[2:] == ["/ad"] * 5 + [r"/ad\xe9\xff", "/a d e", "/ad", "/ad"]
    assert rows.cells["user_agent"].to_list()[2:4] == ['"Mozilla/5.0 (iPhone)"', "x"]
    assert rows.cells["user_agent"].to_list()[-2:] == ['un"quoted', "x"]
    assert set(rows.cells["method"][2:]) == {"GET"}
    assert who(rows) == [*["203.0.113.9"] * 3, "fe80::1", *["203.0.113.9"] * 5]
    assert rows.notes == {"absolute URLs, read as their paths": 1, "methods in small letters, read as capitals": 1}
    assert not rows.text(0).endswith("\r")


@pytest.mark.parametrize("user", ["-", "frank", "frank miller", '""', "a@b.example", "we[ird", "a b [c"])
def test_user_names_of_any_kind_are_passed_over(user: str) -> None:
    read = only(line(user=user))
    assert (read["url"], read["user"]) == ("/ad", None if user == "-" else user)


@pytest.mark.parametrize(
    ("time", "ts"),
    [
        ("02/Jan/2026:03:04:05 +0000", "2026-01-02T03:04:05+00:00"),
        ("2/Jan/2026:03:04:05.5 -0430", "2026-01-02T03:04:05.5-04:30"),
        ("29/Feb/2024:23:59:59 +0530", "2024-02-29T23:59:59+05:30"),
        ("02/Jan/2026:03:04:05", "2026-01-02T03:04:05"),
        ("02/Jan/2026 03:04:05", "2026-01-02T03:04:05"),
        ("2026-01-02T03:04:05", "2026-01-02T03:04:05"),
        ("2026-01-02 03:04:05,123", "2026-01-02T03:04:05.123"),
        ("2026-01-02T03:04:05.123Z", "2026-01-02T03:04:05.123Z"),
        ("Fri, 02 Jan 2026 03:04:05 GMT", "2026-01-02T03:04:05Z"),
        ("Fri Jan  2 03:04:05 2026", "2026-01-02T03:04:05"),
        ("1767323045.123", "2026-01-02T03:04:05.123000Z"),
    ],
)
def test_times_of_many_kinds_are_read(time: str, ts: str) -> None:
    assert only(line(time=time))["ts"] == ts


@pytest.mark.parametrize(
    "time",
    [
        "",
        "-",
        "02/Foo/2026:03:04:05 +0000",
        "30/Feb/2026:03:04:05 +0000",
        "99/Jan/2026:03:04:05 +0000",
        "02/Jan/2026:25:04:05 +0000",
        "02/Jan/2026:03:04:05 +9900",
        "02/Jan/2026:03:04:05 +0099",
        "02/01/2026:03:04:05 +0000",
        "0000-01-02T03:04:05Z",
        "99999999999999",
    ],
)
def test_a_time_that_cannot_be_is_a_problem(time: str) -> None:
    read = only(line(time=time))
    assert read["problem"] == "time is not like 02/Jan/2026:03:04:05 +0100, nor a time of another kind"


@pytest.mark.parametrize(
    ("logged", "agent"),
    [
        (AGENT, AGENT),
        (r"Kiosk \"Nord\" 1.0", 'Kiosk "Nord" 1.0'),
        (r"back\\slash", "back\\slash"),
        (r"ends with \\", "ends with \\"),
        (r"\xe9t\xe9", r"\xe9t\xe9"),
        ("-", None),
        ("", None),
        ("[bot] 200 1", "[bot] 200 1"),
        ('a "b', 'a "b'),
        ('a"b"c', 'a"b"c'),
    ],
)
def test_quotes_in_user_agents_are_unescaped(logged: str, agent: str | None) -> None:
    assert only(line(tail=f'200 512 "-" "{logged}"'))["user_agent"] == agent


@pytest.mark.parametrize(
    ("tail", "agent"),
    [
        ("200 512", None),
        ("304 -", None),
        ("- 0", None),
        ("200 512 1534", None),
        (f'200 512 "https://a.example/?q=\\"x\\"" "{AGENT}"', AGENT),
        (f'200 512 "-" "{AGENT}" 0.004 "10.0.0.1, 10.0.0.2"', AGENT),
        (f'200 512 0.001 "-" "{AGENT}"', AGENT),
        (f'200 0.001 512 "-" "{AGENT}"', AGENT),
        (f'200 512 "-" "{AGENT}" 0.001', AGENT),
        (f'200 512 "-" "{AGENT}" rt=0.001 uct="-" uht="0.000"', AGENT),
    ],
)
def test_common_and_combined_and_longer_formats_are_read(tail: str, agent: str | None) -> None:
    read = only(line(tail=tail))
    assert (read["url"], read["user_agent"], read["problem"]) == ("/ad", agent, "")


@pytest.mark.parametrize(
    ("request_line", "url"),
    [
        ("GET /ad HTTP/1.1", "/ad"),
        ("GET /ad HTTP/2.0", "/ad"),
        ("GET /ad", "/ad"),
        ("POST /ad?id=7&utm=x HTTP/1.1", "/ad?id=7&utm=x"),
        ("GET /a b c HTTP/1.1", "/a b c"),
        ("GET http://shop.example/ad HTTP/1.1", "/ad"),
        ("GET HTTPS://shop.example:443/ad?id=7 HTTP/1.1", "/ad?id=7"),
        ("GET http://shop.example HTTP/1.1", "/"),
        ("GET http://shop.example?id=7 HTTP/1.1", "/?id=7"),
        ("GET /to?u=http://shop.example/ad HTTP/1.1", "/to?u=http://shop.example/ad"),
        ("CONNECT shop.example:443 HTTP/1.1", "shop.example:443"),
        (r"GET /say?\"hi\" HTTP/1.1", '/say?"hi"'),
        ("GET /ad[1] HTTP/1.1", "/ad[1]"),
    ],
)
def test_the_url_is_the_target_without_scheme_and_host(request_line: str, url: str) -> None:
    assert only(line(request=request_line))["url"] == url


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty line"),
        ("   \t", "empty line"),
        ("hello", "not a line of combined"),
        (line()[:60], "not a line of combined; nearest is common, as far as its time"),
        (line()[:-1], "not a line of combined; nearest is combined, as far as its referer"),
        (
            line(tail='200 512 "-" "an "unescaped" agent"'),
            "not a line of combined; nearest is combined, as far as its user_agent",
        ),
        (line(tail=""), "not a line of combined; nearest is common, as far as its request"),
        (line(request="-"), "no request"),
        (line(request=""), "no request"),
        (line(request=r"\x16\x03\x01\x02"), "not an HTTP request"),
        (line(request="GET"), "not an HTTP request"),
        (line(request="GET  HTTP/1.1"), "not an HTTP request"),
        ("\x00" * 50, "nothing but NUL bytes"),
        (line(request="GET /a\0d HTTP/1.1"), "NUL bytes inside the line"),
        (f"shop.example:443 {line()}", "not a line of combined; it is one of vhost-combined"),
    ],
)
def test_each_bad_line_has_its_reason(text: str, problem: str) -> None:
    assert only(text)["problem"] == problem


@pytest.mark.parametrize("prefix", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_line_ends_and_a_mark_of_order_are_no_part_of_lines(prefix: str, end: str) -> None:
    read = only(prefix + line() + end)
    assert (read["ip"], read["user_agent"]) == ("192.0.2.7", AGENT)


def test_a_w3c_log_may_change_its_fields_and_keep_its_date_to_itself() -> None:
    lines = [
        "2026-01-02 03:04:05 192.0.2.7 /early",
        "#Date: 2026-01-02 03:04:05",
        "#Fields: time c-ip cs-uri-stem",
        "03:04:05 192.0.2.7 /ad",
        "03:04:06 192.0.2.7",
        "",
        "#Fields: date time c-ip cs-uri-stem cs(User-Agent)",
        '2026-01-02 03:04:07 192.0.2.8 /ad "Mozilla/5.0 (X11)"',
    ]
    (rows,) = log_rows(lines)
    assert rows.cells["ts"].dropna().to_list() == ["2026-01-02T03:04:05Z", "2026-01-02T03:04:07Z"]
    assert rows.cells["user_agent"].dropna().to_list() == ["Mozilla/5.0 (X11)"]
    assert rows.problem.tolist() == [
        "no #Fields line above it", "", "", "", "2 fields, not the 3 of #Fields", "empty line", "", "",
    ]  # fmt: skip
    assert [bool(aside) for aside in rows.aside] == [False, True, True, False, False, False, True, False]


def test_what_has_no_format_that_is_known_is_told_with_the_nearest() -> None:
    with pytest.raises(
        ClickError, match=r"of the log are in no log format that has a name, nearest is combined, as far as its referer"
    ):
        next(log_rows([line()[:-1]]))
    with pytest.raises(ClickError, match="no lines to tell its format from"):
        next(log_rows([]))
    assert [*log_rows([], "combined")] == []


def test_chunks_go_on_counting_lines() -> None:
    chunks = [*log_rows([line()] * (CHUNK_ROWS + 2))]
    assert [len(rows.line) for rows in chunks] == [CHUNK_ROWS, 2]
    assert chunks[1].line.tolist() == [CHUNK_ROWS + 1, CHUNK_ROWS + 2]
    assert chunks[1].text(1) == line()


@pytest.mark.parametrize(
    ("format", "text"),
    [
        (r'LogFormat "%h %l %u %t \"%r\" %>s %b" common', line(tail="200 5")),
        (
            "log_format main '$remote_addr [$time_local] '\n    '\"$request\" $status';",
            '192.0.2.7 [02/Jan/2026:03:04:05] "GET /ad" 200',
        ),
        ('%{X-Forwarded-For}i %t "%r" %{ms}T', '192.0.2.7, 10.0.0.1 [02/Jan/2026:03:04:05] "GET /ad HTTP/1.1" 4'),
        ("[%{%d/%b/%Y:%T}t.%{msec_frac}t %{%z}t] %a %m %U%q", "[02/Jan/2026:03:04:05.123 +0100] 192.0.2.7 GET /ad"),
        ('%{msec}t %h "%r"', '1767323045123 192.0.2.7 "GET /ad HTTP/1.1"'),
        (
            "$time_iso8601|$remote_addr|$request_method|$uri|$http_user_agent",
            "2026-01-02T03:04:05Z|192.0.2.7|GET|/ad|a b",
        ),
        (
            '{"t":"$time_iso8601","ip":"$remote_addr","r":"$request"}',
            '{"t":"2026-01-02T03:04:05Z","ip":"192.0.2.7","r":"GET /ad"}',
        ),
        (
            '$time_iso8601 $remote_addr "$scheme://$host$uri$is_args$args"',
            '2026-01-02T03:04:05Z 192.0.2.7 "https://shop.example/ad"',
        ),
        ("$msec\\t${remote_addr}\\t$request_uri\\t$status", "1767323045.123\t192.0.2.7\t/ad\t200"),
    ],
)
def test_format_strings_of_servers_are_read(format: str, text: str) -> None:
    read = only(text, format)
    assert (hosts(pd.Series([read["ip"]]))[0], read["url"], read["problem"]) == ("192.0.2.7", "/ad", "")
    assert read["ts"].startswith("2026-01-02T03:04:05")


@pytest.mark.parametrize("format", ["", "%h %t", "$remote_addr", '$remote_addr$time_local "$request"', "%", "100%"])
def test_a_format_string_that_tells_too_little_is_refused(format: str) -> None:
    with pytest.raises(ClickError, match=r"log format"):
        compiled(format)


PIECES = st.sampled_from(
    [line(), "\\", '"', "[", "]", " ", "\0", "#Fields: ", "c-ip", "\t", '{"request":', "}", "192.0.2.7", "GET /ad", "1"]
)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.text(max_size=60) | st.lists(PIECES, max_size=8).map("".join), max_size=6), st.sampled_from(NAMES))
def test_any_lines_give_a_row_each_and_never_another_error(lines: list[str], name: str) -> None:
    for format in (name, None):
        try:
            chunks = [*log_rows(lines, format)]
        except ClickError:
            if format is not None:
                raise
            continue
        assert len(chunks) == bool(lines)
        for rows in chunks:
            assert len(rows.cells) == len(rows.line) == len(rows.problem) == len(rows.aside) == len(lines)
            assert not ((rows.problem != "") & (rows.aside != "")).any()
            good = rows.cells[(rows.problem == "") & (rows.aside == "")]
            assert good["ts"].notna().all()


HOSTILE = [
    "\\" * 200_000,
    '"' * 200_000,
    "[" * 200_000,
    " " * 200_000,
    "1," * 100_000,
    "1:" * 100_000,
    "a " * 100_000,
    "a [" * 70_000,
    '" "' * 70_000,
    'a - - [t] "' + '\\"' * 100_000,
    'a - - [t] "GET / " 200 1 ' + '"x" ' * 50_000 + '"',
    '[02/Jan/2026:03:04:05] 200 - GET https a "/" [Client ' + "] [Length" * 20_000,
    "{" * 100_000,
    '{"a":' * 50_000,
    "[" * 50_000 + "]" * 50_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:9])
def test_hostile_lines_are_over_at_once(text: str) -> None:
    # A pattern that went back and forth would not return within the test's time limit.
    for name in NAMES:
        if find(name).kind == "text":
            find(name).pattern.fullmatch(text)
    nearest(text)
    with pytest.raises(ClickError):
        next(log_rows([text]))


@pytest.mark.parametrize(
    ("name", "lines", "clicks", "visitors"),
    [
        ("01-vhost", 3, 3, 3),
        ("03-xff-front", 4, 4, 1),
        ("04-xff-tail", 6, 6, 6),
        ("06-ms-time", 4, 2, 1),
        ("07-extra-number", 3, 3, 1),
        ("08-caddy", 4, 4, 1),
        ("09-nginx-json", 4, 4, 1),
        ("10-iis", 8, 4, 1),
        ("11-cloudfront", 6, 4, 1),
        ("12-alb", 4, 4, 1),
        ("13-nul-head/access.log", 4, 4, 1),
        ("13-nul-head/dcperf.log", 12, 12, 12),
        ("13-nul-head/nul-three-visitors.log", 3, 3, 3),
        ("13-nul-head/short-nuls.log", 4, 4, 1),
        ("28-odd-lines", 11, 9, 4),  # two addresses, one of them with three user agents
    ],
)
def test_clicks_and_visitors_of_logs_from_the_field(name: str, lines: int, clicks: int, visitors: int) -> None:
    (path,) = (FIELD / name.split("/")[0]).glob(name.partition("/")[2] or "*")
    found = read(path)
    assert (found.lines, len(found.clicks), found.clicks["session_id"].nunique()) == (lines, clicks, visitors)
    assert lines == len(found.clicks) + len(found.rejected) + sum(found.filtered.values())
    assert any(note.startswith("read as a log in the format ") for note in found.notes)


def test_a_time_without_a_zone_is_read_with_the_zone_that_is_named() -> None:
    found = read(FIELD / "06-ms-time" / "access.log", {"tz": "Europe/Berlin"})
    assert found.clicks["ts"].dt.strftime("%FT%T").to_list() == [
        "2026-01-02T02:04:05",
        "2026-01-02T02:04:05",
        "2026-01-02T02:04:06",
    ]


@pytest.mark.parametrize("column", ["visitor", "http_x_forwarded_for", "uri"])
def test_a_column_that_a_format_does_not_have_is_refused_with_those_that_it_has(column: str) -> None:
    line = '192.0.2.7 - - [02/Jan/2026:03:04:05 +0000] "GET /ad HTTP/1.1" 200 5 "-" "Firefox"'
    with pytest.raises(
        ClickError, match=rf"access.log has no '{column}': a log in the format combined has ip, ts, method"
    ):
        list(log_rows([line], columns=["url", column], name="access.log"))
