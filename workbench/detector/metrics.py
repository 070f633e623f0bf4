"""A detector's figures for Prometheus: one endpoint on loopback. What is drawn of them is in `docker/grafana`.

How far the detector is comes from its `progress`, asked at each scrape; what it judged comes from the topics, which a
`VerdictFeed` follows on a thread of its own. So nothing here is in the way of a click.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from workbench.errors import BrokerError, SetupError
from workbench.machine.extras import extra
from workbench.spark.cluster import is_loopback
from workbench.verdicts.feed import VerdictFeed, follow

with extra("metrics"):
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        InfoMetricFamily,
        Metric,
    )
    from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from workbench.detector.handle import Detector
    from workbench.detector.progress import Progress
    from workbench.verdicts.table import Counts

__all__ = ["BUCKETS_S", "PORT", "REASONS", "Address", "Latencies", "MetricsServer", "listen", "serve"]

PORT = 9464
"""Where it listens unless another port is named."""
REASONS = ("malformed", "no_visitor", "filtered", "too_late", "in_the_future", "redelivered", "judged_before")
"""Why a record is a dead letter. Any other reason on the topic counts as `other`: strangers make no labels."""
BUCKETS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""The bounds of the latency histogram."""

_REMEMBERED = 100_000  # clicks whose verdict is known, so that none counts twice: about 40 MB


@dataclass(frozen=True, slots=True)
class Address:
    """Where the endpoint listens.

    Parameters
    ----------
    host
        A name or an address of this machine.
    port
        0 takes a free one.
    anywhere
        Whether other machines than this one may read it.

    Raises
    ------
    SetupError
        The address cannot be, or it is not loopback without leave.

    Examples
    --------
    >>> Address.parse("127.0.0.1:9464")
    Address(host='127.0.0.1', port=9464, anywhere=False)
    >>> Address("0.0.0.0")
    Traceback (most recent call last):
    workbench.errors.SetupError: metrics on 0.0.0.0 could be read from other machines: got no leave to. Fix: take \
127.0.0.1, or say --metrics-anywhere (anywhere=True)
    """

    host: str = "127.0.0.1"
    port: int = PORT
    anywhere: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.port < 65536:
            raise SetupError(f"not a port for metrics: {self.port}; expected 0 to 65535")
        if not self.anywhere and not is_loopback(self.host):
            raise SetupError(
                f"metrics on {self.host} could be read from other machines: got no leave to. "
                "Fix: take 127.0.0.1, or say --metrics-anywhere (anywhere=True)"
            )

    @classmethod
    def parse(cls, text: str, anywhere: bool = False) -> Self:
        """Read HOST:PORT; an IPv6 host stands in brackets."""
        host, colon, port = text.rpartition(":")
        if not colon or not host or not port.isascii() or not port.isdigit():
            raise SetupError(f"not an address for metrics: {text!r}; expected HOST:PORT, as 127.0.0.1:{PORT}")
        return cls(host.removeprefix("[").removesuffix("]"), int(port), anywhere)


def listen(address: Address = Address()) -> MetricsServer:
    """Open the endpoint, on a thread of its own. It has figures once it watches a detector; `stop()` ends it.

    Parameters
    ----------
    address
        Where.

    Raises
    ------
    SetupError
        The port is taken.
    """
    collector = _Collector()
    registry = CollectorRegistry()
    registry.register(collector)
    try:
        server, thread = start_http_server(address.port, address.host, registry)
    except OSError as error:
        raise SetupError(
            f"metrics cannot be served at {address.host}:{address.port}: {error.strerror or error}. "
            "Fix: choose another port"
        ) from error
    host = f"[{address.host}]" if ":" in address.host else address.host
    return MetricsServer(f"http://{host}:{server.server_port}/metrics", server, thread, collector)


def serve(handle: Detector, *, port: int = PORT, host: str = "127.0.0.1", anywhere: bool = False) -> MetricsServer:
    """Let Prometheus scrape a detector at http://127.0.0.1:9464/metrics. Returns at once; `stop()` ends it.

    What is counted is counted from this call on, so make it right after `detect`.

    Parameters
    ----------
    handle
        The detector.
    port, host, anywhere
        As in `Address`.

    Raises
    ------
    SetupError
        The port is taken, or the host is not loopback without `anywhere`.
    BrokerError
        Its topics cannot be read.
    """
    server = listen(Address(host, port, anywhere))
    try:
        return server.watch(handle)
    except BaseException:
        server.stop()
        raise


class MetricsServer:
    """The endpoint that `listen` opened. As a context manager it stops on leaving.

    Attributes
    ----------
    url
        What Prometheus is to scrape.
    """

    def __init__(self, url: str, server: WSGIServer, thread: threading.Thread, collector: _Collector) -> None:
        self.url = url
        self._server, self._thread, self._collector = server, thread, collector

    def watch(self, handle: Detector) -> Self:
        """Give the figures of this detector from now on. Raises BrokerError when its topics cannot be read."""
        self._collector.watch(handle)
        return self

    def stop(self) -> None:
        """Close the port and follow the topics no more. May be called again."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._collector.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<MetricsServer at {self.url}>"


class _Collector(Collector):
    """Makes the metrics at each scrape. Any thread may ask."""

    def __init__(self) -> None:
        self._watched: tuple[Detector, VerdictFeed] | None = None
        self._latencies = Latencies()

    def watch(self, handle: Detector) -> None:
        self.stop()
        feed = follow(handle.connection, handle.topics, limit=_REMEMBERED, on_first=self._latencies.add)
        self._watched = handle, feed

    def stop(self) -> None:
        if self._watched is not None:
            self._watched[1].stop()

    def collect(self) -> Iterator[Metric]:
        if self._watched is None:
            return
        handle, feed = self._watched
        try:
            progress = handle.progress
        except BrokerError:
            progress = None
        running = handle.state == "running"
        yield _gauge("detector_running", "1 while the detector judges, 0 while it starts and after its end.", running)
        yield InfoMetricFamily("workbench_rule", "The rule that it judges by.", {"rule_id": handle.rule.rule_id})
        yield _gauge("broker_up", "1 where the broker answered this scrape.", progress is not None)
        yield _gauge("verdict_feed_up", "1 while the verdicts are counted.", feed.error is None)
        yield from _of_counts(feed.counts)
        yield self._latencies.metric()
        if progress is not None:
            yield from _of_progress(progress)


def _of_counts(counts: Counts) -> Iterable[Metric]:
    yield _counter("clicks", "Clicks that got their first verdict.", counts.clicks)
    yield _counter("flagged_clicks", "Clicks whose verdict is Yes.", counts.flagged)
    yield _counter("verdicts", "Verdict records, revised and repeated ones included.", counts.records)
    yield _counter("revised_verdicts", "Verdicts revised from No to Yes by a late click.", counts.revised)
    yield _counter("repeated_verdicts", "Verdict records that said nothing new.", counts.repeated)
    yield _counter("unreadable_records", "Records that are no verdict and no dead letter.", counts.malformed)
    letters = CounterMetricFamily(
        "workbench_dead_letters", "Records that could not be judged, by reason.", labels=["reason"]
    )
    for reason in REASONS:
        letters.add_metric([reason], counts.dead_letters.get(reason, 0))
    letters.add_metric(["other"], sum(n for reason, n in counts.dead_letters.items() if reason not in REASONS))
    yield letters


def _of_progress(progress: Progress) -> Iterable[Metric]:
    lag = GaugeMetricFamily(
        "workbench_lag_clicks", "Records of the clicks topic without an outcome.", labels=["partition"]
    )
    for partition in progress.partitions:
        lag.add_metric([str(partition.partition)], partition.lag)
    yield lag
    text = "Rows that Spark dropped behind the watermark. Anything but 0 is an alarm."
    yield _counter("dropped_rows", text, progress.dropped_by_watermark)
    text = "Restarts from the checkpoint after a lost executor."
    yield _counter("restarts", text, progress.restarts)
    text = "Records that the topic had deleted before they were judged. Anything but 0 is an alarm."
    yield _counter("lost_clicks", text, progress.lost_clicks)
    text = "Records without a value, as of the latest checkpoint. They have no verdict and no dead letter."
    yield _counter("tombstones", text, progress.tombstones)
    yield _gauge("state_rows", "Rows of state at the latest checkpoint.", progress.state_rows)
    yield _gauge("state_bytes", "Memory of the state at the latest checkpoint.", progress.state_bytes)
    yield _counter("checkpoints", "Checkpoints done.", progress.checkpoints)
    stalled = progress.checkpoint_ms / 1000
    yield _gauge("checkpoint_stall_seconds", "How long verdicts waited at the latest checkpoint, about.", stalled)
    done = GaugeMetricFamily("workbench_last_checkpoint_timestamp_seconds", "When the latest checkpoint was done.")
    if progress.checkpoint_at is not None:
        done.add_metric([], progress.checkpoint_at.timestamp())
    yield done


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"workbench_{name}", text, value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"workbench_{name}", text, value)


class Latencies:
    """A histogram from click to verdict: many latencies at once, in one NumPy call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: npt.NDArray[np.int64] = np.zeros(len(BUCKETS_S) + 1, dtype=np.int64)
        self._sum_s = 0.0

    def add(self, latencies_us: list[int]) -> None:
        """Count each in the bucket whose bound it does not pass."""
        seconds = np.maximum(latencies_us, 0) / 1e6  # a click may be dated ahead of the broker's clock
        places = np.searchsorted(BUCKETS_S, seconds)  # a bucket holds what is up to its bound
        with self._lock:
            self._counts += np.bincount(places, minlength=len(self._counts))
            self._sum_s += float(seconds.sum())

    def metric(self) -> Metric:
        """Give what Prometheus takes."""
        with self._lock:
            upto, total_s = self._counts.cumsum().tolist(), self._sum_s
        buckets = list(zip([*(f"{bound:g}" for bound in BUCKETS_S), "+Inf"], upto, strict=True))
        text = "From a click's event time to its first verdict."
        return HistogramMetricFamily("workbench_verdict_latency_seconds", text, buckets, total_s)
