"""What a detector says of itself, made of reports that Spark wrote and of the topics' ends; asked by several."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from spark_reports import REPORTS, TOPIC, as_spark_gives, report

from workbench.detector import progress as module
from workbench.detector.progress import PartitionProgress, Progress, ProgressLog


def log(begun: dict[int, int] | None = None, lost_clicks: int = 0) -> ProgressLog:
    return ProgressLog(TOPIC, begun or {0: 0, 1: 0}, {"verdicts": 100, "dead": 10}, lost_clicks)


def asked(of: ProgressLog, verdicts: int = 100, dead: int = 10, judged: dict[int, int] | None = None) -> Progress:
    return of.now("running", {0: 1377, 1: 1672}, judged or {}, {"verdicts": verdicts, "dead": dead})


def test_before_the_first_checkpoint_only_the_topics_tell() -> None:
    found = asked(log({0: 7, 1: 0}), verdicts=103, dead=11, judged={1: 5})
    assert (found.verdicts, found.dead_letters, found.checkpoints) == (3, 1, 0)
    assert found.partitions == (PartitionProgress(0, 1377, 7), PartitionProgress(1, 1672, 5))
    assert found.lag == 1370 + 1667
    assert found.checkpoint_at is found.watermark is None
    assert log().committed is None


def test_the_latest_report_of_spark_says_what_is_judged_for_good_and_how_large_the_state_is() -> None:
    of = log()
    assert of.take(REPORTS) == 0
    found = asked(of)
    assert found.checkpoints == 4
    assert (found.state_rows, found.state_bytes) == (4944, 6_295_776)
    assert found.watermark == datetime(2026, 11, 28, 0, 6, 31, 76_000, UTC)
    assert found.checkpoint_ms == 12_239 - 9_905
    assert found.checkpoint_at == datetime(2026, 11, 28, 0, 9, 14, 193_000, UTC)
    assert of.committed is not None
    assert of.committed.offsets == {0: 1200, 1: 1672}
    assert of.committed.since_ms == datetime(2026, 11, 28, 0, 9, 1, 954_000, UTC).timestamp() * 1000
    assert [each.judged for each in found.partitions] == [1200, 1672]
    assert found.lag == 177


def test_each_report_counts_once_however_often_spark_shows_it() -> None:
    of = log()
    for upto in range(1, 5):
        of.take(REPORTS[:upto])
        of.take(REPORTS[:upto])
        assert asked(of).checkpoints == upto


def test_dropped_rows_are_told_when_they_are_new_and_add_up() -> None:
    of = log()
    assert of.take([report(0, dropped=2), report(1, dropped=3)]) == 5
    assert of.take([report(1, dropped=3), report(2, dropped=1)]) == 1
    found = asked(of)
    assert found.dropped_by_watermark == 6
    assert "ALARM: 6 rows dropped by the watermark" in str(found)


def test_offsets_that_spark_writes_as_text_are_read_too_and_none_says_nothing() -> None:
    of = log()
    sources = [{"endOffset": '{"fcd-producer": {"0": 5}}'}, {"endOffset": None}]
    first = {"batchId": 0, "timestamp": "2026-01-01T00:00:00.000Z", "stateOperators": [], "sources": sources}
    of.take([as_spark_gives(first)])
    assert of.committed is not None
    assert of.committed.offsets == {0: 5}
    of.take([report(1, {})])
    assert of.committed.offsets == {0: 5}
    assert asked(of).checkpoints == 2


def test_another_query_begins_its_reports_anew_and_nothing_is_committed_before_its_first() -> None:
    of = log()
    of.take([report(7, {0: 9, 1: 9}, dropped=1)])
    of.begin_query({0: 20, 1: 9})
    assert of.committed is None
    assert of.judged == {0: 20, 1: 9}
    of.take([report(0, {0: 30, 1: 3}, dropped=1)])
    found = asked(of)
    assert found.checkpoints == 2
    assert found.dropped_by_watermark == 2
    assert of.judged == {0: 30, 1: 9}  # a rule that took over reads some once more: they are judged all the same


def test_what_is_judged_never_goes_back_and_never_past_the_end() -> None:
    of = log()
    of.reached({0: 9, 5: 1})
    of.reached({0: 4})
    assert of.judged == {0: 9, 1: 0, 5: 1}
    assert asked(of, judged={0: 99_999}).partitions[0] == PartitionProgress(0, 1377, 1377)


def test_restarts_and_lost_clicks_are_said_where_there_are_any() -> None:
    of = log(lost_clicks=501)
    assert "restarts" not in str(asked(of))
    of.count_restart()
    of.count_restart()
    assert "2 restarts after lost executors, 501 clicks deleted before they were judged" in str(asked(of))


def test_tombstones_add_up_over_the_reports_and_are_said_where_there_are_any() -> None:
    of = log()
    for batch, count in enumerate((2, 0, 3)):
        seen = json.loads(report(batch).json) | {"observedMetrics": {"records": {"tombstones": count}}}
        for _ in range(2):
            of.take([SimpleNamespace(json=json.dumps(seen))])
    assert asked(of).tombstones == 5
    assert "5 tombstones" in str(asked(of))
    assert "tombstones" not in str(asked(log()))


def test_the_rate_is_of_the_last_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    of = log()
    assert asked(of).per_second == 0
    for second in range(1, 31):
        now = 100.0 + second
        rate = asked(of, verdicts=100 + (40 * second if second <= 10 else 400 + 10 * (second - 10))).per_second
        if second <= 10:
            assert rate == pytest.approx(40)
    assert rate == pytest.approx(10)


def test_what_has_ended_is_as_it_was_when_last_asked_and_does_nothing_any_more() -> None:
    of = log()
    assert of.last("failed") == Progress("failed", 0, 0, 0.0, ())
    before = asked(of, verdicts=150)
    after = of.last("stopped")
    assert (after.state, after.per_second, after.verdicts) == ("stopped", 0.0, 50)
    assert after.partitions == before.partitions


@pytest.fixture
def hurried_threads() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hurried_threads")
def test_two_scrapers_beside_the_feeding_thread_see_whole_reports_and_nothing_goes_back() -> None:
    of, batches = log(), 400
    failures: list[str] = []
    done = threading.Event()

    def scrape() -> None:
        last = asked(of)
        while not done.is_set():
            found = asked(of)
            if found.state_rows != max(0, found.checkpoints - 1) or found.state_bytes != 10 * found.state_rows:
                failures.append(f"of two reports: {found}")
            if found.dropped_by_watermark != found.checkpoints:
                failures.append(f"rows of another moment: {found}")
            if found.checkpoints < last.checkpoints or found.lag > last.lag:
                failures.append(f"it goes back: {last} {found}")
            last = found

    scrapers = [threading.Thread(target=scrape) for _ in range(2)]
    for thread in scrapers:
        thread.start()
    for batch in range(batches):
        of.take(
            [
                report(number, {0: number, 1: number}, dropped=1, rows=number)
                for number in (batch - 1, batch)
                if number >= 0
            ]
        )
        of.reached({0: batch, 1: batch})
    done.set()
    for thread in scrapers:
        thread.join()
    assert failures == []
    assert asked(of).checkpoints == batches
