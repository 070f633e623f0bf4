"""Lines of logs as servers really write them, and sessions against a plain walk through the requests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.clicks.access_log import LINE, requests, sessions
from workbench.clicks.record import TS_DTYPE

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"


def line(
    host: str = "192.0.2.7",
    user: str = "-",
    time: str = "02/Jan/2026:03:04:05 +0000",
    request: str = "GET /ad HTTP/1.1",
    tail: str = f'200 512 "-" "{AGENT}"',
) -> str:
    return f'{host} - {user} [{time}] "{request}" {tail}'


def only(text: str, *, assets: bool = False) -> pd.Series[Any]:
    return requests([text], assets=assets).iloc[0]


@pytest.mark.parametrize(
    "host", ["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7", "[2001:db8::7]", "crawl-1.example", "unknown"]
)
def test_the_host_is_kept_as_it_was_logged(host: str) -> None:
    read = only(line(host=host))
    assert (read["ip"], read["problem"]) == (host, "")


@pytest.mark.parametrize("user", ["-", "frank", "frank miller", '""', "a@b.example"])
def test_user_names_of_any_kind_are_passed_over(user: str) -> None:
    assert only(line(user=user))["url"] == "/ad"


@pytest.mark.parametrize(
    ("time", "utc"),
    [
        ("02/Jan/2026:03:04:05 +0000", "2026-01-02T03:04:05Z"),
        ("02/Jan/2026:03:04:05 +0200", "2026-01-02T01:04:05Z"),
        ("01/Jan/2026:22:34:05 -0430", "2026-01-02T03:04:05Z"),
        ("29/Feb/2024:23:59:59 +0530", "2024-02-29T18:29:59Z"),
    ],
)
def test_time_zones_are_honoured(time: str, utc: str) -> None:
    assert only(line(time=time))["ts"] == pd.Timestamp(utc)


@pytest.mark.parametrize(
    "time",
    [
        "",
        "-",
        "02/Jan/2026:03:04:05",
        "2026-01-02T03:04:05",
        "02/Foo/2026:03:04:05 +0000",
        "30/Feb/2026:03:04:05 +0000",
        "99/Jan/2026:03:04:05 +0000",
        "02/Jan/2026:25:04:05 +0000",
        "02/Jan/2026:03:04:05 +9900",
    ],
)
def test_a_time_that_cannot_be_is_a_problem(time: str) -> None:
    assert only(line(time=time))["problem"] == "time is not like 02/Jan/2026:03:04:05 +0100"


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
        ("GET http://shop.example/ad HTTP/1.1", "http://shop.example/ad"),
        (r"GET /say?\"hi\" HTTP/1.1", '/say?"hi"'),
        ("GET /ad[1] HTTP/1.1", "/ad[1]"),
    ],
)
def test_the_url_is_the_whole_target(request_line: str, url: str) -> None:
    assert only(line(request=request_line))["url"] == url


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty line"),
        ("   \t", "empty line"),
        ("hello", "not an access log line"),
        (line()[:60], "not an access log line"),
        (line()[:-1], "not an access log line"),
        (line(tail='200 512 "-" "an "unescaped" agent"'), "not an access log line"),
        (line(tail=""), "not an access log line"),
        (line(request="-"), "no request"),
        (line(request=""), "no request"),
        (line(request=r"\x16\x03\x01\x02"), "not an HTTP request"),
        (line(request="GET"), "not an HTTP request"),
        ("\x00" * 50, "not an access log line"),
        (line(host="h" * 256), "not an access log line"),
        (line(request="GET /" + "x" * 8192), "url or user agent of more than 8192 characters"),
        (line(tail=f'200 5 "-" "{"x" * 8193}"'), "url or user agent of more than 8192 characters"),
    ],
)
def test_each_bad_line_has_its_reason(text: str, problem: str) -> None:
    assert only(text)["problem"] == problem


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "PROPFIND"])
def test_only_get_and_post_are_clicks(method: str) -> None:
    assert only(line(request=f"{method} /ad HTTP/1.1"), assets=True)["filtered"]


@pytest.mark.parametrize("status", [200, 204, 302, 404, 500])
def test_the_status_does_not_matter(status: int) -> None:
    assert not only(line(tail=f"{status} 0"))["filtered"]


@pytest.mark.parametrize(
    ("target", "asset"),
    [
        ("/static/site.css", True),
        ("/SITE.CSS?v=3", True),
        ("/a/b.js", True),
        ("/logo.PNG", True),
        ("/photo.jpeg", True),
        ("/sans.woff2?x", True),
        ("/robots.txt", True),
        ("/favicon.ico", True),
        ("/ad", False),
        ("/css", False),
        ("/ad?image=a.png", False),
        ("/notes/robots.txt.html", False),
        ("/page.jsp", False),
        ("/node.js/guide", False),
    ],
)
def test_page_assets_are_filtered_out_unless_asked_for(target: str, asset: bool) -> None:
    text = line(request=f"GET {target} HTTP/1.1")
    assert only(text)["filtered"] == asset
    assert not only(text, assets=True)["filtered"]


@settings(deadline=None)
@given(st.lists(st.text(max_size=60) | st.text('"\\ []-:/+0GETa', max_size=80), max_size=5))
def test_any_lines_give_a_row_each_and_never_an_exception(lines: list[str]) -> None:
    read = requests(lines)
    assert len(read) == len(lines)
    assert read["ts"].dtype == TS_DTYPE


@pytest.mark.parametrize(
    "text",
    [
        "\\" * 200_000,
        '"' * 200_000,
        'a - - [t] "' + '\\"' * 100_000,
        "a " * 100_000,
        'a - - [t] "GET / " 200 1 ' + '"x" ' * 50_000 + '"',
    ],
)
def test_hostile_lines_end_in_a_full_match_or_none(text: str) -> None:
    LINE.fullmatch(text)  # a pattern that went back and forth would not return within the test's time limit


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["192.0.2.1", "192.0.2.2"]), st.sampled_from(["F", "S", None]), st.integers(0, 60)),
        max_size=40,
    ),
    st.integers(0, 15),
)
def test_sessions_equal_a_walk_through_the_requests(rows: list[tuple[str, str | None, int]], gap: int) -> None:
    rows.sort(key=lambda row: row[2])
    agents: dict[str, list[str | None]] = {}
    visits: dict[tuple[str, str | None], tuple[int, int]] = {}  # number of the visit, time of the last request
    expected = []
    for ip, agent, second in rows:
        known = agents.setdefault(ip, [])
        if agent not in known:
            known.append(agent)
        visit, last = visits.get((ip, agent), (1, second))
        visit += second - last > gap
        visits[ip, agent] = (visit, second)
        expected.append(f"{ip}/a{known.index(agent) + 1}/v{visit}")
    ip_column = pd.Series([ip for ip, _, _ in rows], dtype=object)
    agent_column = pd.Series([agent for _, agent, _ in rows], dtype=object)
    ts = pd.to_datetime(pd.Series([second for _, _, second in rows], dtype="int64"), unit="s", utc=True)
    assert sessions(ip_column, agent_column, ts, timedelta(seconds=gap)).to_list() == expected
