"""The endpoint for Prometheus: a real detector, a real HTTP request, and the figures are what was sent and judged."""

from __future__ import annotations

import collections
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import oracle
import pytest
from scraping import Samples, scrape

from workbench.broker.topics import Connection, Topics, ensure_topics
from workbench.detector import metrics
from workbench.detector.handle import Detector, detect
from workbench.detector.metrics import MetricsServer
from workbench.rule import Rule

DASHBOARD = Path(__file__).parents[2] / "docker" / "grafana" / "dashboards" / "click-fraud.json"


def until(url: str, what: Callable[[Samples], bool], seconds: float = 90) -> Samples:
    deadline = time.monotonic() + seconds
    while not what(found := scrape(url)):
        assert time.monotonic() < deadline, f"it did not come to that: {found}"
        time.sleep(0.1)
    return found


@pytest.fixture
def watched(connection: Connection, topics: Topics) -> Iterator[tuple[Detector, MetricsServer]]:
    """A detector on this test's topics and its endpoint, on a free port."""
    ensure_topics(connection, topics)
    with (
        detect(Rule(), connection, topics=topics, checkpoint_every="5s") as handle,
        metrics.serve(handle, port=0) as server,
    ):
        yield handle, server


@pytest.mark.java
def test_the_figures_are_what_was_sent_flagged_and_rejected(
    connection: Connection, topics: Topics, watched: tuple[Detector, MetricsServer]
) -> None:
    handle, server = watched
    handle.wait_until_started()
    begin = datetime.now(UTC) - timedelta(seconds=5)
    records = oracle.hostile(6000, seed=5, begin=begin, sessions=300)
    now_us = (datetime.now(UTC) - oracle.EPOCH) // oracle.US
    for number, off_s in enumerate((-60, -60, 3600)):  # two too late, one in the future
        value = oracle.wire(f"off{number}", "s", "/", now_us + off_s * 1_000_000)
        records.append(oracle.Record(b"s", value, now_us))
    oracle.send(connection.bootstrap, topics.clicks, records)
    handle.wait_until_caught_up("120s")
    answer = oracle.compare(connection.bootstrap, topics)
    print(answer)
    assert answer.exact
    reasons = {"malformed": sum(record.key == b"x" for record in records), "too_late": 2, "in_the_future": 1}
    found = until(
        server.url,
        lambda seen: (
            seen["workbench_verdicts_total"] == answer.records
            and seen["workbench_checkpoints_total"] > 0
            and seen["workbench_state_rows"] > 0
            and all(seen[f"workbench_dead_letters_total{{reason={reason}}}"] == n for reason, n in reasons.items())
        ),
    )
    assert found["workbench_clicks_total"] == answer.clicks == 6000
    assert found["workbench_flagged_clicks_total"] == answer.flagged > 2000
    said = collections.defaultdict(set)
    for row in map(oracle.decoded, oracle.read(connection.bootstrap, topics.verdicts)):
        said[row["fraudClick"]].add(row["click_id"])
    revised = len(said["No"] & said["Yes"])
    assert found["workbench_revised_verdicts_total"] == revised > 0
    assert found["workbench_repeated_verdicts_total"] == answer.records - answer.clicks - revised > 0  # of copies
    for reason in (*metrics.REASONS, "other"):
        assert found[f"workbench_dead_letters_total{{reason={reason}}}"] == reasons.get(reason, 0)
    assert found["workbench_lag_clicks{partition=0}"] == found["workbench_lag_clicks{partition=1}"] == 0
    assert found["workbench_dropped_rows_total"] == found["workbench_restarts_total"] == 0
    assert found["workbench_lost_clicks_total"] == found["workbench_unreadable_records_total"] == 0
    assert found["workbench_rule_info{rule_id=3-in-10s}"] == 1
    assert (
        found["workbench_detector_running"] == found["workbench_broker_up"] == found["workbench_verdict_feed_up"] == 1
    )
    assert abs(time.time() - found["workbench_last_checkpoint_timestamp_seconds"]) < 60
    assert found["workbench_verdict_latency_seconds_count"] == 6000
    assert found["workbench_verdict_latency_seconds_bucket{le=+Inf}"] == 6000
    bounds = [found[f"workbench_verdict_latency_seconds_bucket{{le={bound:g}}}"] for bound in metrics.BUCKETS_S]
    assert bounds == sorted(bounds)
    assert found["workbench_verdict_latency_seconds_sum"] > 0

    assert sorted(named_by_the_dashboard() - {name.partition("{")[0] for name in found}) == []

    handle.stop()
    ended = scrape(server.url)
    assert ended["workbench_detector_running"] == 0
    assert ended["workbench_clicks_total"] == 6000


def named_by_the_dashboard() -> set[str]:
    text = json.dumps(json.loads(DASHBOARD.read_text("utf-8")))
    names = set(re.findall(r"\bworkbench_[a-z_]+", text))
    assert len(names) > 10
    return names
