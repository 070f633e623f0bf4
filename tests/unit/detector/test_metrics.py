"""The endpoint for Prometheus without a detector: its address, port and buckets. With one: `spark/test_metrics.py`."""

from __future__ import annotations

import socket

import pytest
from scraping import scrape

from workbench.cli.parser import main
from workbench.detector import metrics
from workbench.detector.metrics import Address, listen
from workbench.errors import SetupError


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
