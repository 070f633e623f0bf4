"""Several columns as one URL or one time: sites are told apart, and nothing that differs becomes one."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from workbench.clicks.files import read
from workbench.clicks.mapping import Mapping
from workbench.clicks.parts import moments, urls

COMBINED = '{host}203.0.113.7 - - [02/Jan/2026:03:04:0{i} +0000] "GET {url} HTTP/1.1" 200 5 "-" "Firefox"\n'
SITES = ("a.example", "b.example", "c.example")


def texts(*values: str | None) -> pd.Series[str]:
    return pd.Series(values, dtype=object)


def test_one_page_of_three_sites_is_three_urls_in_each_format_that_knows_the_host(tmp_path: Path) -> None:
    when = "2026-01-02T03:04:0{i}Z"
    formats = {
        "vhost.log": COMBINED.replace("{host}", "{site}:443 ").replace("{url}", "/"),
        "caddy.log": '{{"ts":176732304{i}.5,"request":{{"remote_ip":"203.0.113.7","method":"GET","host":"{site}",'
        '"uri":"/","headers":{{}}}},"status":200}}\n',
        "alb.log": "h2 " + when + ' app/x/y 203.0.113.7:2817 10.0.0.1:80 0.0 0.0 0.0 200 200 34 366 "GET '
        'https://{site}:443/ HTTP/2.0" "curl/7.46.0" - - arn:aws x "-" "-" 0\n',
        "traefik.log": '{{"StartUTC":"' + when + '","ClientHost":"203.0.113.7","RequestMethod":"GET",'
        '"RequestPath":"/","RequestHost":"{site}","DownstreamStatus":200}}\n',
        "iis.log": "2026-01-02 03:04:0{i} {site} GET / - 203.0.113.7\n",
        "app.json": '{{"ts":"' + when + '","session_id":"s","path":"/","host":"{site}"}}\n',
        "app.csv": when + ",s,/,{site}\n",
    }
    fields = "date time cs-host cs-method cs-uri-stem cs-uri-query c-ip"
    heads = {"iis.log": f"#Fields: {fields}\n", "app.csv": "ts,sid,path,host\n"}
    for name, line in formats.items():
        path = tmp_path / name
        path.write_text(heads.get(name, "") + "".join(line.format(site=SITES[i % 3], i=i) for i in range(6)))
        found = read(path, {"crawlers": "keep"})
        assert (name, sorted(set(found.clicks["url"]))) == (name, [f"{site}/" for site in SITES])
        assert len(found.clicks) == 6
        assert "URLs begin with the host of the site that was asked: 3 hosts" in found.notes
        without = {"url": "path"} if name.startswith("app") else {"url": "url", "format": "log"}
        assert set(read(path, {**without, "crawlers": "keep"}).clicks["url"]) == {"/"}


def test_a_log_that_does_not_know_the_host_has_paths(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    lines = [COMBINED.format(host="", i=i, url="http://a.example/ad" if i % 2 else "/ad") for i in range(6)]
    path.write_text("".join(lines))
    found = read(path)
    assert set(found.clicks["url"]) == {"/ad"}
    assert "3 absolute URLs, read as their paths" in found.notes


@pytest.mark.parametrize(
    "mapping", ["url=cs-host+cs-uri-stem+cs-uri-query", 'url = ["cs-host", "cs-uri-stem", "cs-uri-query"]\n']
)
def test_several_columns_are_a_url_in_pairs_and_toml(tmp_path: Path, mapping: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "ts,sid,cs-host,cs-uri-stem,cs-uri-query\n"
        "2026-01-02T03:04:05Z,s,A.example:80,/ad,id=7&gclid=x\n"
        "2026-01-02T03:04:05Z,s,-,/ad,-\n"
        "2026-01-02T03:04:05Z,s,a.example,-,\n"
    )
    found = read(path, mapping)
    assert found.clicks["url"].to_list() == ["a.example/ad?id=7", "/ad"]
    assert found.rejected["reason"].to_list() == ["url is not text of 1 to 8192 characters"]
    assert Mapping.of(found.mapping.to_toml()) == found.mapping


def test_what_differs_in_one_column_is_another_url() -> None:
    values = ["", "a", "b", "a/b", "/", "%2F"]
    rows = [row for row in product(values, repeat=3) if row[0] and row[1]]
    found, _ = urls([texts(*column) for column in zip(*rows, strict=True)], ["channel", "creative", "slot"])
    assert len(set(found)) == len(rows)


@pytest.mark.parametrize(
    ("row", "paths", "url"),
    [
        (("shop.example", "ad/7"), "host path", "shop.example/ad/7"),
        (("shop.example", "?id=7"), "host path", "shop.example?id=7"),
        (("shop.example", "https://other.example/ad"), "host url", "https://other.example/ad"),
        ((None, "/ad"), "host path", "/ad"),
        (("shop.example", None), "host path", None),
        (("/ad?id=7", "a=1"), "path query", "/ad?id=7&a=1"),
        (("/ad", "?a=1"), "path cs-uri-query", "/ad?a=1"),
        (("/ad?id=7", "b/c"), "url creative", "/ad?id=7&creative=b/c"),
        (("497", None, "2"), "channel creative slot", "497//2"),
    ],
)
def test_parts_of_a_url_stand_as_a_url_has_them(row: tuple[str | None, ...], paths: str, url: str | None) -> None:
    assert urls([texts(one) for one in row], paths.split())[0].to_list() == [url]


@pytest.mark.parametrize(
    ("row", "moment"),
    [
        (("2026-03-10", "12:00:00"), "2026-03-10 12:00:00"),
        (("2026-03-10", "9:00"), "2026-03-10 09:00"),
        (("2026-03-10", "2026-03-10T12:00:00Z"), "2026-03-10T12:00:00Z"),
        (("2026-03-10T12:00:00Z", "35"), "2026-03-10T12:00:00Z"),
        (("2026-03-10", "1773144000"), "1773144000"),
        (("2026-03-10", None), "2026-03-10"),
        ((None, None), None),
        ((pd.Timestamp("2026-03-10"), "12:00:00"), "2026-03-10 12:00:00"),
        ((pd.Timestamp("2026-03-10").date(), pd.Timestamp("2026-03-10 12:00").time()), "2026-03-10 12:00:00"),
    ],
)
def test_a_date_and_a_clock_are_one_time(row: tuple[object, ...], moment: str | None) -> None:
    assert moments([pd.Series([one], dtype=object) for one in row]).to_list() == [moment]


@pytest.mark.parametrize(
    ("header", "row", "mapping"),
    [
        ("Date,Time", "2026-03-10,12:00:05", {"tz": "UTC"}),
        ("time,date", "13:00:05 +0100,2026-03-10", {}),
        ("day,clock", "10/03/2026,12:00:05", {"ts": ["day", "clock"], "time_format": "%d/%m/%Y %H:%M:%S", "tz": "UTC"}),
        ("date,time", "2026-03-10,1773144005", {}),
        ("date,duration", "2026-03-10T12:00:05Z,7", {}),
    ],
)
def test_times_in_two_columns_are_read(tmp_path: Path, header: str, row: str, mapping: dict[str, object]) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"sid,url,{header}\ns,/ad,{row}\n")
    found = read(path, mapping)
    assert found.clicks["ts"].to_list() == [pd.Timestamp("2026-03-10 12:00:05", tz="UTC")]
    assert read(path, found.mapping.to_toml()).clicks.equals(found.clicks)


def test_a_date_and_a_clock_without_a_zone_are_refused_with_the_option(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sid,url,date,time\ns,/ad,2026-03-10,12:00:05\n")
    with pytest.raises(ValueError, match=r"times without a zone in date\+time, .*--tz UTC"):
        read(path)
