"""Raw cells into clicks: what is believed, what is left out and told, and that every row is accounted for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.clicks.columns import resolved
from workbench.clicks.intake import CRAWLERS, NO_VISITOR_SAID, Chunk, Intake
from workbench.clicks.mapping import Mapping
from workbench.clicks.record import check
from workbench.errors import ClickError
from workbench.sources.rows import Rows

TS = "2026-01-02T03:04:05Z"


def rows(**columns: list[Any]) -> Rows:
    n = len(next(iter(columns.values())))
    cells = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    none = np.full(n, "", dtype=object)
    return Rows(cells, np.arange(1, n + 1), none, none.copy(), lambda i: f"line {i}")


def take(mapping: Mapping | None = None, visits: bool = False, **columns: list[Any]) -> Chunk:
    n = len(next(iter(columns.values())))
    given_by_name = {"session_id": ["s1"] * n, "url": ["/ad"] * n, "ts": [TS] * n} if not visits else {"ts": [TS] * n}
    cells = rows(**(given_by_name | columns))
    names = list(cells.cells.columns)
    found = (mapping or Mapping()).but(ip="ip", url="url", ts="ts") if visits else None
    chunk = Intake(found or resolved(mapping or Mapping(), names, "a.csv")[0], "a.csv", visits).take(cells)
    assert chunk.lines == n == len(chunk.clicks) + len(chunk.rejected) + sum(chunk.filtered.values())
    if not visits:
        check(chunk.clicks)
    return chunk


def test_several_values_are_one_visitor() -> None:
    chunk = take(Mapping(session_id=["ip", "device"]), ip=["87540", "87540", "203.0.113.9:4711"], device=[1, 2, 1])
    assert chunk.clicks["session_id"].tolist() == ["87540/1", "87540/2", "203.0.113.9/1"]


@pytest.mark.parametrize("nobody", ["(not set)", "-", "null", "undefined", "0", "", None])
def test_what_is_no_visitor_is_left_out_and_counted(nobody: str | None) -> None:
    chunk = take(session_id=[nobody, "s1"])
    assert chunk.clicks["session_id"].tolist() == ["s1"]
    assert chunk.filtered == {NO_VISITOR_SAID: 1}


def test_what_is_no_text_is_rejected_and_numbers_are_written_out() -> None:
    chunk = take(session_id=[{"a": 1}, "x" * 9000, 7, 87540.0, 1.5, True, "\ud800"])
    assert chunk.clicks["session_id"].tolist() == ["7", "87540"]
    assert chunk.rejected["line"].tolist() == [1, 2, 5, 7]


def test_ids_that_differ_after_a_nul_stay_two_visitors() -> None:
    assert take(session_id=["v\0a", "v\0b"]).clicks["session_id"].tolist() == ["v\0a", "v\0b"]


def test_urls_lose_what_is_new_with_each_click_and_it_is_told() -> None:
    intake = Intake(Mapping(session_id="session_id", url="url", ts="ts"), "a.csv", visits=False)
    chunk = intake.take(rows(session_id=["s"] * 2, url=["/ad?id=7&gclid=a", "/ad?id=7"], ts=[TS] * 2))
    assert chunk.clicks["url"].tolist() == ["/ad?id=7"] * 2
    assert str(intake.merged) == (
        "1 URLs without parameters that are new with each click: gclid (1); 1 different ones became 1. "
        "--url-keep keeps a parameter"
    )


def test_clicks_without_the_parameter_of_the_ad_are_left_out() -> None:
    chunk = take(Mapping(url_from="ad"), url=["/x?ad=7", "/y?ad=7&z=1", "/x"])
    assert chunk.clicks["url"].tolist() == ["ad=7"] * 2
    assert chunk.filtered == {"no ad in the URL": 1}


def test_a_made_id_is_the_file_and_line_and_one_that_is_there_is_kept() -> None:
    assert take(session_id=["a", "b"]).clicks["click_id"].tolist() == ["a.csv:1", "a.csv:2"]
    assert take(click_id=["x", "y"]).clicks["click_id"].tolist() == ["x", "y"]


def test_labels_may_be_truths_and_numbers() -> None:
    assert take(label=[True, False, 1, 0.0, "bot"]).clicks["label"].tolist() == ["true", "false", "1", "0", "bot"]


def test_carried_fields_stand_behind_the_others() -> None:
    chunk = take(Mapping(carry={"pub": "publisher"}), publisher=["p1", None])
    assert chunk.clicks["pub"].tolist() == ["p1", None]


def test_crawlers_stand_aside_or_are_kept() -> None:
    agents = ["kube-probe/1.29", "curl/8.5", "Mozilla/5.0 Firefox/140.0"]
    chunk = take(user_agent=agents)
    assert chunk.filtered == {CRAWLERS: 1}
    assert chunk.crawlers["user_agent"].tolist() == agents[:1]
    assert len(take(Mapping(crawlers="keep"), user_agent=agents).clicks) == 3


def test_exclusions_are_left_out() -> None:
    chunk = take(Mapping(exclude=["198.51.100.0/24"]), ip=["198.51.100.7", "203.0.113.9"])
    assert chunk.clicks["ip"].tolist() == ["203.0.113.9"]
    assert chunk.filtered == {"excluded": 1}


def test_a_log_has_visits_methods_and_assets() -> None:
    mapping = Mapping(method="method")
    chunk = take(
        mapping, visits=True, ip=["203.0.113.9, 10.0.0.1", "-", "203.0.113.9", "203.0.113.9"],
        url=["/ad", "/ad", "/ad", "/a.css?x"], method=["GET", "GET", "HEAD", "GET"],
    )  # fmt: skip
    assert chunk.clicks["ip"].tolist() == ["203.0.113.9"]
    assert chunk.clicks["session_id"].isna().all()
    assert chunk.rejected["reason"].tolist() == ["no address or host name of a visitor"]
    assert list(chunk.filtered.values()) == [2]


def test_constants_stand_for_columns() -> None:
    assert take(Mapping(label="=person", url="=/shop"), session_id=["s1"]).clicks[
        ["url", "label"]
    ].to_numpy().tolist() == [["/shop", "person"]]


ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.sampled_from([TS, "0", {}, []])


@given(st.lists(st.tuples(ANY, ANY, ANY, ANY), min_size=1, max_size=8), st.booleans())
def test_any_cells_are_accounted_for(cells: list[tuple[Any, ...]], visits: bool) -> None:
    who, url, ts, ip = (list(column) for column in zip(*cells, strict=True))
    mapping = Mapping(tz="UTC", time_unit="ms", click_id="ip")
    try:
        if visits:
            take(mapping, visits=True, url=url, ts=ts, ip=ip)
        else:
            take(mapping, session_id=who, url=url, ts=ts, ip=ip)
    except ClickError:
        pytest.fail("nothing here is wrong with a whole column")


def test_a_visitor_of_several_values_needs_the_first() -> None:
    chunk = take(Mapping(session_id=["ip", "device"]), ip=["", None, "203.0.113.9"], device=["1", "1", ""])
    assert chunk.clicks["session_id"].tolist() == ["203.0.113.9/"]
    assert chunk.filtered == {NO_VISITOR_SAID: 2}


def test_the_ad_and_what_is_excluded_are_looked_for_in_the_whole_url() -> None:
    urls = ["/x?utm_campaign=7&gclid=a", "/y?gclid=b"]
    assert take(Mapping(url_from="utm_campaign"), url=urls).clicks["url"].tolist() == ["utm_campaign=7"]
    assert take(Mapping(exclude=["url:gclid=b"]), url=urls).clicks["url"].tolist() == ["/x"]


def test_a_url_of_nothing_but_what_is_dropped_is_still_one() -> None:
    assert take(url=["?gclid=x"]).clicks["url"].tolist() == ["/"]


def test_a_column_may_be_the_visitor_and_the_address_or_the_agent() -> None:
    mapping = Mapping(session_id=["client_ip", "useragent"], exclude=["203.0.113.0/24"])
    chunk = take(mapping, client_ip=["203.0.113.9", "192.0.2.1", "192.0.2.2"], useragent=["a", "Googlebot/2.1", "b"])
    assert chunk.clicks["session_id"].tolist() == ["192.0.2.2/b"]
    assert chunk.filtered == {"excluded": 1, CRAWLERS: 1}


def test_lists_of_proxies_are_addresses_in_any_usual_column() -> None:
    chunk = take(Mapping(session_id="x_forwarded_for"), x_forwarded_for=["203.0.113.9:1, 10.0.0.1", "203.0.113.9"])
    assert chunk.clicks["session_id"].tolist() == ["203.0.113.9"] * 2


def test_objects_are_carried_along_as_json() -> None:
    chunk = take(Mapping(carry={"more": "campaign"}), campaign=["a", {"id": 1}])
    assert chunk.clicks["more"].tolist() == ["a", '{"id": 1}']
