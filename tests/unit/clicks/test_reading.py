"""Several inputs are one source: visitors are told apart alike in all, and nothing is passed over in silence."""

from __future__ import annotations

import gzip
import os
import shutil
import threading
import warnings
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from raw_rows import FIELD

from workbench.clicks.files import read
from workbench.clicks.recording import Recording
from workbench.errors import ClickError

TIMES = pd.to_datetime(["2026-01-02T03:04:01Z", "2026-01-02T03:04:02Z"])


def whole(recording: Recording) -> Recording:
    told = len(recording.clicks) + len(recording.rejected) + sum(recording.filtered.values())
    assert recording.lines == told
    return recording


def part(path: Path, **columns: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"url": ["/a", "/b"], "ts": TIMES, **columns}).to_parquet(path)


def test_rotated_logs_are_one_recording() -> None:
    folder = FIELD / "26-rotated"
    recording = whole(read([folder / "access.log.1.xz", folder / "access.log.2", folder / "access.zip"]))
    assert len(recording.clicks) == 4 + 2 + 4
    assert recording.clicks["click_id"].is_unique


def test_a_log_that_was_cut_gives_its_lines_and_a_warning(tmp_path: Path) -> None:
    line = '203.0.113.9 - - [02/Jan/2026:03:04:01 +0000] "GET /ad?x={} HTTP/1.1" 200 5 "-" "Mozilla/5.0"\n'
    packed = gzip.compress("".join(line.format(i * i) for i in range(5000)).encode())
    (tmp_path / "cut.log.gz").write_bytes(packed[: len(packed) // 2])
    cut = whole(read(tmp_path / "cut.log.gz"))
    assert len(cut.clicks) > 1000
    assert len(cut.rejected) <= 1
    assert cut.warnings[0].startswith("cut.log was cut, or is still being written: ")
    (tmp_path / "zeros.log.gz").write_bytes(packed + bytes(512))
    zeros = whole(read(tmp_path / "zeros.log.gz"))
    assert (len(zeros.clicks), len(zeros.rejected)) == (5000, 0)
    assert "zeros.log: 512 zero bytes after the end of the gzip data are passed over" in zeros.notes
    assert not zeros.damage


def test_other_files_in_a_folder_are_passed_over_and_told(tmp_path: Path) -> None:
    shutil.copy(FIELD / "26-rotated" / "access.log.2", tmp_path)
    (tmp_path / "README").write_text("Logs of the shop.\n")
    recording = whole(read(tmp_path))
    assert len(recording.clicks) == 2
    assert "README is passed over: its first lines are of no format that is read" in recording.notes
    for source in (tmp_path / "README", [tmp_path / "access.log.2", tmp_path / "README"]):
        with pytest.raises(ClickError, match="cannot tell the format of README"):
            read(source)
    (tmp_path / "access.log.2").unlink()
    with pytest.raises(ClickError, match="cannot tell the format of README"):
        read(tmp_path)


def test_parts_of_a_table_may_lack_columns_that_others_have(tmp_path: Path) -> None:
    part(tmp_path / "part-0.parquet", user_id=["u1", "u2"])
    part(tmp_path / "part-1.parquet", user_id=["u1", "u2"], session_id=["s1", "s2"], ip=["192.0.2.1", None])
    recording = whole(read(tmp_path))
    assert recording.clicks["session_id"].tolist() == ["s1", "s2"]
    assert sum(recording.filtered.values()) == 2  # no visitor is said in the first part, and none is made of user_id
    assert recording.clicks["ip"].tolist() == ["192.0.2.1", None]
    with pytest.raises(ClickError, match=r"part-0\.parquet"):
        read([tmp_path / "part-1.parquet", tmp_path / "part-0.parquet"])


def test_what_was_guessed_for_one_file_holds_for_all(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("visitor_id,user_id,url,ts\nv1,u1,/,2026-01-02T03:04:01Z\n")
    (tmp_path / "b.csv").write_text("session_id,visitor_id,url,ts\ns1,v1,/,2026-01-02T03:04:02Z\n")
    recording = whole(read(tmp_path))
    assert recording.clicks["session_id"].tolist() == ["v1", "v1"]


def test_columns_of_folders_are_read(tmp_path: Path) -> None:
    for channel in ("7", "8"):
        part(tmp_path / f"channel={channel}" / "part-0.parquet", session_id=["s1", "s2"])
    recording = whole(read(tmp_path, {"url": "channel"}))
    assert sorted(recording.clicks["url"]) == ["7", "7", "8", "8"]
    assert recording.clicks["click_id"].is_unique


def test_parquet_may_be_packed_once_more(tmp_path: Path) -> None:
    part(tmp_path / "a.parquet", session_id=["s1", "s2"])
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    assert whole(read(tmp_path / "a.parquet.gz")).clicks["session_id"].tolist() == ["s1", "s2"]


def test_stdin_beside_a_folder_of_parquet_is_read_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part(tmp_path / "table" / "part-0.parquet", session_id=["s1", "s2"])
    lines = "".join(f"s3,/c,2026-01-02T03:04:{i % 60:02}Z\n" for i in range(5000))
    there, fed = os.pipe()
    feeding = threading.Thread(target=_fed, args=(fed, f"session_id,url,ts\n{lines}".encode()))
    feeding.start()
    with os.fdopen(there, "rb", closefd=True) as pipe:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=pipe))
        recording = whole(read([tmp_path / "table", "-"], {"format": "csv"}))
    feeding.join()
    assert recording.clicks["session_id"].value_counts().to_dict() == {"s3": 5000, "s1": 1, "s2": 1}


def _fed(to: int, data: bytes) -> None:
    with os.fdopen(to, "wb") as pipe:
        pipe.write(data)


def test_members_of_one_name_are_all_read(tmp_path: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        warnings.simplefilter("ignore")
        for session in ("s1", "s2"):
            archive.writestr("a.csv", f"session_id,url,ts\n{session},/,2026-01-02T03:04:01Z\n")
    recording = whole(read(tmp_path / "x.zip"))
    assert sorted(recording.clicks["session_id"]) == ["s1", "s2"]
    assert recording.clicks["click_id"].is_unique


def test_a_recording_with_times_of_any_year_has_a_text(tmp_path: Path) -> None:
    last = np.array([2**63 - 1, 1_767_323_041_000_000]).view("datetime64[us]")
    pd.DataFrame({"session_id": ["a", "b"], "url": ["/", "/"], "ts": pd.Series(last).dt.tz_localize("UTC")}).to_parquet(
        tmp_path / "x.parquet"
    )
    assert str(whole(read(tmp_path / "x.parquet"))).startswith("2 lines: ")


def test_an_exclusion_that_leaves_out_nothing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "session_id,url,ts,ip\ns,/ad,2026-01-02T03:04:05Z,192.0.2.1\ns,/healthz,2026-01-02T03:04:06Z,192.0.2.2\n"
    )
    found = read(path, {"exclude": ["192.0.2.0/31", "/healthzz", "/healthz"]})
    assert found.clicks.empty
    assert [note for note in found.notes if "exclude" in note] == ["--exclude /healthzz left out nothing"]


@pytest.mark.parametrize("source", [None, 5, [b"a.csv"], {}])
def test_what_is_no_source_is_refused_in_words(source: object) -> None:
    with pytest.raises(ClickError, match=r"a source is|nothing to read"):
        read(source)  # type: ignore[arg-type]


def test_names_in_braces_are_a_header_and_no_json(tmp_path: Path) -> None:
    table = tmp_path / "adjust.csv"
    table.write_text("{click_time},{session_id},{url}\n2026-03-10T12:00:00Z,a,/ad\n")

    assert read(table).clicks["session_id"].to_list() == ["a"]
