"""Addresses that are not the visitors': those of a CDN in front, and those that were cut short."""

from pathlib import Path

import pytest

from workbench.clicks.files import read
from workbench.clicks.mapping import Mapping

_LINE = '{ip} - - [10/Mar/2026:12:{i:02}:00 +0000] "GET /ad HTTP/1.1" 200 1 "-" "Mozilla/5.0"{rest}\n'


def _log(path: Path, addresses: list[str], lists: list[str] | None = None) -> Path:
    rest = [""] * len(addresses) if lists is None else [f' "{text}"' for text in lists]
    path.write_text("".join(_LINE.format(ip=ip, i=i, rest=rest[i]) for i, ip in enumerate(addresses)))
    return path


def test_a_cdn_with_public_addresses_is_told_with_the_option_that_skips_it(tmp_path: Path) -> None:
    lists = [f"198.51.100.{i + 1}, 203.0.113.{i % 3 + 1}" for i in range(60)]
    log = _log(tmp_path / "access.log", ["10.0.0.1"] * 60, lists)

    (told,) = (text for text in read(log).told() if "lists of addresses" in text)

    assert told.endswith("--client 2")
    skipped = read(log, Mapping(client=2))
    assert skipped.clicks["session_id"].nunique() == 60
    assert not any("lists of addresses" in text for text in skipped.told())


@pytest.mark.parametrize(
    "lists",
    [
        [f"198.51.100.{i + 1}, 10.0.0.2" for i in range(60)],
        [f"192.0.2.{i + 1}, 198.51.100.{i + 1}" for i in range(60)],  # each visitor's own proxy
        [f"198.51.100.{i + 1}" for i in range(55)] + [f"192.0.2.{i}, 198.51.100.9" for i in range(5)],
    ],
)
def test_lists_that_end_with_many_visitors_are_not_told(tmp_path: Path, lists: list[str]) -> None:
    log = _log(tmp_path / "access.log", ["10.0.0.1"] * 60, lists)

    assert not any("lists of addresses" in text for text in read(log).told())


def test_a_column_of_lists_is_looked_into(tmp_path: Path) -> None:
    rows = [f'2026-03-10T12:{i:02}:00Z,"198.51.100.{i + 1}, 203.0.113.{i % 3 + 1}",/ad\n' for i in range(60)]
    table = tmp_path / "a.csv"
    table.write_text("ts,x_forwarded_for,url\n" + "".join(rows))

    assert any(text.endswith("--client 1") for text in read(table, Mapping(session_id="x_forwarded_for")).told())


def test_addresses_that_were_cut_short_are_told(tmp_path: Path) -> None:
    cut = _log(tmp_path / "cut.log", [f"198.51.{i}.0" for i in range(60)])
    whole = _log(tmp_path / "whole.log", [f"198.51.{i}.{i % 4}" for i in range(60)])

    assert any("end in .0" in text for text in read(cut).told())
    assert not any("end in .0" in text for text in read(whole).told())
