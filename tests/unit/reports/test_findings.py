"""What is said of other people's clicks: first whether visitors are told apart, and what was set aside or dropped."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from workbench.clicks.files import read
from workbench.clicks.mapping import Mapping
from workbench.errors import ClickError
from workbench.reports import evidence, patterns
from workbench.reports.findings import Findings, of_recording
from workbench.rule import Rule

FIELD = Path(__file__).parents[2] / "data" / "field"


def findings(name: str, mapping: Mapping | str | None = None) -> Findings:
    (path,) = (FIELD / name).iterdir()
    return of_recording(read(path, mapping), path.name, Rule())


def quality(found: Findings) -> dict[str, int]:
    return dict(zip(found.quality["what"], found.quality["records"], strict=True))


def test_six_visitors_behind_a_balancer_are_six_and_none_is_flagged() -> None:
    found = findings("04-xff-tail")
    assert (found.figures["clicks"], found.figures["sessions"], found.figures["flagged"]) == (6, 6, 0)
    assert found.warnings == ()


def test_a_balancer_taken_for_all_visitors_is_told_on_top() -> None:
    found = findings("04-xff-tail", Mapping(client="last"))
    assert found.figures["sessions"] == 1
    assert "100% of the clicks come from private addresses" in found.warnings[0]


def test_a_bot_on_one_ad_is_found_behind_parameters_that_are_new_with_each_click_and_they_are_named() -> None:
    found = findings("14-gclid")
    assert (found.figures["flagged"], found.judged["url"].unique().tolist()) == (6, ["/landing"])
    assert {"gclid", "subid*"} <= {*found.dropped}
    assert any("8 URLs" in note for note in found.notes)
    kept = findings("14-gclid", Mapping(url_keep=["*"]))
    assert (kept.figures["flagged"], kept.dropped) == (0, ())


def test_a_redirect_with_a_reload_is_told_to_change_what_is_flagged_until_it_is_merged() -> None:
    found = findings("29-reload")
    assert found.figures["flagged"] == 1
    assert found.figures["merged"] == {"clicks_fewer": 1, "sessions_fewer": 1}
    merged = findings("29-reload", Mapping(merge_repeats="2s"))
    assert (merged.figures["flagged"], merged.merged) == (0, None)
    assert quality(merged)["left out: repeats within 2s, merged"] == 1


def test_crawlers_and_health_checks_are_counted_beside_the_flagged_and_never_among_them() -> None:
    found = findings("32-probes")
    figures = found.figures
    assert (figures["clicks"], figures["flagged"]) == (105, 101)
    assert (figures["by_crawlers"], figures["flagged_by_crawlers"], figures["crawlers"]) == (150, 146, "aside")
    assert "crawler" not in found.judged
    assert quality(found)["left out: known crawlers and health checks"] == 150

    kept = findings("32-probes", Mapping(crawlers="keep"))
    assert (kept.figures["clicks"], kept.figures["flagged"]) == (255, 101 + 146)
    assert (kept.figures["by_crawlers"], kept.figures["flagged_by_crawlers"]) == (150, 146)
    assert patterns.by_session(kept.judged)["crawler"].sum() == 2

    clean = findings("32-probes", Mapping(exclude=["/api/poll"]))
    assert (clean.figures["clicks"], clean.figures["flagged"]) == (5, 3)
    assert quality(clean)["left out: excluded"] == 100
    assert 'exclude = ["/api/poll"]' in clean.how_read


def test_several_columns_are_one_visitor_and_what_is_carried_along_stands_in_the_evidence(tmp_path: Path) -> None:
    how = "session_id=ip+device+os,url=channel,label=is_attributed"
    found = findings("35-tz", Mapping.of(how).but(carry={"app": "app"}))
    assert (found.figures["sessions"], found.figures["flagged"]) == (5, 0)
    by_address = findings("35-tz", Mapping.of("session_id=ip,url=channel").but(carry={"app": "app", "=os": "os"}))
    assert by_address.figures["flagged"] == 3
    assert evidence.write(by_address.recorded, Rule(), tmp_path / "e.csv") == 3
    table = pd.read_csv(tmp_path / "e.csv", dtype=str)
    assert table.columns[-2:].tolist() == ["app", "'=os"]
    assert table["app"].tolist() == ["12"] * 3
    assert patterns.by_session(by_address.judged)["app"].tolist() == ["12"]


def test_how_a_source_was_read_is_a_mapping_that_reads_it_so_again() -> None:
    found = findings("35-tz", "session_id=ip+device+os,url=channel")
    again = findings("35-tz", "\n".join(found.how_read) + "\n")
    pd.testing.assert_frame_equal(found.judged, again.judged)
    assert any("ts from click_time" in note or "ts is read from click_time" in note for note in found.notes)


def test_missing_columns_are_told_at_once_with_the_option_to_write() -> None:
    with pytest.raises(ClickError, match=r"session_id and url.* Fix: --map session_id=ip\+device\+os,url=channel,ts="):
        findings("35-tz")


def test_a_source_of_crawlers_alone_says_how_to_judge_them(tmp_path: Path) -> None:
    lines = (FIELD / "32-probes" / "access.log").read_text().splitlines()
    path = tmp_path / "access.log"
    path.write_text("\n".join(line for line in lines if "kube-probe" in line))
    with pytest.raises(ClickError, match=r"100 left out: known crawlers and health checks.* Fix: .*--crawlers keep"):
        of_recording(read(path), path.name, Rule())


def test_what_is_said_masks_whom_it_names() -> None:
    found = findings("32-probes")
    assert "203.0.113.x" in found.warnings[0]
    assert "203.0.113.9" not in str((found.warnings, found.notes, found.how_read))


def test_a_mapping_in_which_something_is_masked_says_so_and_is_not_read_back() -> None:
    found = findings("32-probes", Mapping(exclude=["198.51.100.7"]))
    assert any(line.endswith("(masked: write what was given)") for line in found.how_read)
    with pytest.raises(ClickError, match="no TOML"):
        Mapping.of("\n".join([*found.how_read, ""]))


def test_user_names_that_tell_visitors_apart_are_masked_in_report_warnings_and_evidence(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    rows = [f"john.smith,/ad,2026-01-02T03:04:{i:02}Z" for i in range(50)]
    path.write_text("\n".join(["username,url,ts", *rows, "ann,/ad,2026-01-02T03:05:00Z"]))
    found = of_recording(read(path, {"session_id": "username"}), path.name, Rule())
    assert set(found.judged["session_id"]) == {"user#1", "user#2"}
    assert "'user#1'" in found.warnings[0]
    assert "john" not in str((found.judged.to_dict(), found.warnings, found.notes))
    evidence.write(found.recorded, found.rule, tmp_path / "e.csv", session_id=found.mapping.session_id)
    assert "john" not in (tmp_path / "e.csv").read_text()


def test_a_rejected_line_of_csv_is_masked_by_the_names_of_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    rows = ["v1,/ad,2026-01-02T03:04:05Z,ann.lee,hunter2,7", "v2,/ad,never,Bob Day,letme in,8", "v3,/ad,never,Carl"]
    path.write_text("\n".join(["session_id,url,ts,user,password,shop", *rows, '"v4",/ad,never,"Dora, Lee",,9']))
    texts = of_recording(read(path), path.name, Rule()).rejected["text"].tolist()
    assert texts == [
        "v2,/ad,never,user#1,secret#1,8",
        "4 cells, masked since they are not 6",
        "v4,/ad,never,user#2,,9",
    ]
    shown = of_recording(read(path), path.name, Rule(), show_personal=True).rejected["text"].tolist()
    assert shown == [*rows[1:], '"v4",/ad,never,"Dora, Lee",,9']


def test_a_rejected_line_of_csv_without_personal_columns_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "clicks.csv"
    path.write_text("session_id,url,ts\nv1,/ad,2026-01-02T03:04:05Z\nv2,/ad?token=x,never\nv3,/ad\n")
    texts = of_recording(read(path), path.name, Rule()).rejected["text"].tolist()
    assert texts == ["v2,/ad?token=secret#1,never", "v3,/ad"]
