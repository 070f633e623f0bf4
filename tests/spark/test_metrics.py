"""The endpoint for Prometheus: a real detector, a real HTTP request, and the figures are what was sent and judged."""

from __future__ import annotations

import collections
import json
import re
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import oracle
import pytest
from prometheus_client.parser import text_string_to_metric_families

from workbench.broker.topics import Connection, Topics, ensure_topics
from workbench.cli.parser import main
from workbench.detector import metrics
from workbench.detector.handle import Detector, detect
from workbench.detector.metrics import Address, MetricsServer, listen
from workbench.errors import SetupError
from workbench.rule import Rule

DASHBOARD = Path(__file__).parents[2] / "docker" / "grafana" / "dashboards" / "click-fraud.json"
Samples = dict[str, float]


def scrape(url: str) -> Samples:
    """Every sample by its name and labels, as Prometheus writes them."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        text = answer.read().decode()
    return {
        sample.name + "".join(f"{{{name}={value}}}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


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


def test_a_latency_is_in_the_bucket_whose_bound_it_does_not_pass() -> None:
    latencies = metrics.Latencies()
    latencies.add([5_000, 5_001, -3, 70_000_000])
    latencies.add([20_000])
    values = {sample.labels.get("le", sample.name): sample.value for sample in latencies.metric().samples}
    assert values["0.005"] == 2  # 5 ms, and the click that was dated ahead of the clock
    assert values["0.01"] == 3
    assert values["0.02"] == values["60"] == 4
    assert values["+Inf"] == values["workbench_verdict_latency_seconds_count"] == 5
    assert values["workbench_verdict_latency_seconds_sum"] == pytest.approx(70.030001)


def test_a_port_that_is_taken_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            SetupError, match=rf"127\.0\.0\.1:{port}: Address already in use\. Fix: choose another port"
        ):
            listen(Address(port=port))
        # The command says so before it looks for a broker or starts Spark.
        assert main(["detect", "--brokers", "127.0.0.1:1", "--metrics", f"127.0.0.1:{port}"]) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "Address already in use" in told[0]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org", ""])
def test_an_address_off_this_machine_is_refused_unless_it_is_asked_for(host: str) -> None:
    with pytest.raises(SetupError, match="other machines"):
        Address(host)
    assert Address(host, anywhere=True).host == host


@pytest.mark.parametrize("text", ["127.0.0.1:9464", "localhost:1", "[::1]:9464", "127.9.9.9:0"])
def test_loopback_needs_no_leave(text: str) -> None:
    assert Address.parse(text).port == int(text.rpartition(":")[2])


@pytest.mark.parametrize("text", ["9464", ":9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536"])
def test_what_is_no_address_is_refused_in_one_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", "--metrics", text]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_endpoint_answers_before_there_is_a_detector_and_is_gone_after_its_end() -> None:
    with listen(Address(port=0)) as server:
        assert scrape(server.url) == {}
    with pytest.raises(OSError, match="refused"):
        scrape(server.url)
    server.stop()
