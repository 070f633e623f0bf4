"""Files that were damaged in any way: no error but ours, and every line accounted for.

WORKBENCH_FUZZ says how many files to make, 300 unless it is set.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.clicks.files import SAMPLE_LOG, read
from workbench.clicks.record import check, records
from workbench.errors import ClickError

FIELD = Path(__file__).parents[2] / "data" / "field"
CORPUS = sorted(path for path in FIELD.rglob("*") if path.is_file() and path.stat().st_size < 4096)
PIECES = [
    *(b"\0", b'"', b'\\"', b"\n", b"\r\n", b",", b";", b"\t", b"|", b"{", b"}", b"[", b"]", b" - - "),
    *(b"\xff\xfe", b"\x1f\x8b", b"#Fields: "),
    *(b"null", b"NaN", b"1e999", b"-1", b"2026-01-02", b"99999999999999999999", b"\xed\xa0\x80", b"\xef\xbb\xbf"),
    *(b"Total", b"sep=;\n", b"::ffff:1.2.3.4", b'"' * 40, b"a" * 9000, b"PAR1", b"%", b"\\x", b"\\ud800"),
]  # fmt: skip
EDIT = st.tuples(st.integers(0, 4095), st.integers(0, 60), st.sampled_from(PIECES) | st.binary(max_size=8))
MAPPINGS: list[dict[str, Any]] = [
    {},
    {"tz": "Europe/Berlin", "time_unit": "ms"},
    {"session_id": ["ip", "url"], "client": 1, "url_from": "id", "crawlers": "keep"},
    {"format": "csv"},
    {"format": "jsonl", "url": "request.uri", "session_id": "request.client_ip"},
    {"log_format": "combined", "assets": True, "exclude": ["203.0.113.0/24"], "merge_repeats": "2s"},
    {"time_format": "%Y", "tz": "UTC", "carry": {"x": "id"}},
    {"merge_repeats": "0s", "tz": "UTC"},
    {"merge_repeats": "1d", "time_unit": "days", "tz": "UTC"},
]


FILE = st.tuples(st.sampled_from(CORPUS), st.lists(EDIT, max_size=6), st.integers(1, 3))


@given(st.lists(FILE, min_size=1, max_size=2), st.sampled_from(MAPPINGS))
@settings(
    max_examples=int(os.environ.get("WORKBENCH_FUZZ", "300")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_damaged_files_are_read_or_refused_and_every_line_is_accounted_for(
    tmp_path: Path, files: list[tuple[Path, list[tuple[int, int, bytes]], int]], mapping: dict[str, Any]
) -> None:
    paths = []
    for number, (whole, edits, times) in enumerate(files):
        data = whole.read_bytes() * times
        for place, length, piece in edits:
            place %= len(data) + 1
            data = data[:place] + piece + data[place + length :]
        paths.append(tmp_path / str(number) / whole.name)
        paths[-1].parent.mkdir(exist_ok=True)
        paths[-1].write_bytes(data)
    try:
        found = read(paths, mapping)
    except ClickError:
        return
    assert found.lines == len(found.clicks) + len(found.rejected) + sum(found.filtered.values())
    assert found.rejected["reason"].map(bool).all()
    assert len(list(records(check(found.clicks)))) == len(found.clicks)
    assert str(found)
    assert all(isinstance(line, str) and line for line in found.told())


@pytest.mark.parametrize("size", [0, 1, 2, 10, 500, 5_000])
def test_a_file_that_was_cut_gives_what_it_holds_and_says_so(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.log.gz"
    path.write_bytes(SAMPLE_LOG.read_bytes()[: size or None])
    try:
        found = read(path)
    except ClickError:
        assert size < 500
        return
    assert bool(found.warnings) == bool(size)
