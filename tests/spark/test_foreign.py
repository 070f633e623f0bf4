"""A mapping in Spark's words gives the same clicks, and refuses the same records, as in Python.

Short sibling: tests/spark/test_foreign.py
"""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from foreign_records import HOSTS, MAPPINGS, records
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from workbench.clicks.foreign import Records, topic_mapping
from workbench.clicks.mapping import Mapping
from workbench.detector.foreign import CONF, ForeignRecords
from workbench.detector.foreign_values import host
from workbench.sources.hosts import hosts

pytestmark = pytest.mark.java


@pytest.fixture
def session(spark: SparkSession) -> SparkSession:
    for name, value in CONF.items():
        spark.conf.set(name, value)
    return spark


def by_spark(spark: SparkSession, mapping: Mapping, values: list[bytes]) -> dict[int, tuple[Any, ...]]:
    """Offset → click, or reason and detail."""
    rows = [(None, bytearray(value), 0, offset) for offset, value in enumerate(values)]
    frame = spark.createDataFrame(rows, "key binary, value binary, partition int, offset bigint").coalesce(1)
    read = ForeignRecords(mapping, "t")
    found = read(frame.withColumn("timestamp", F.current_timestamp()))
    us = F.unix_micros("event_time")
    wanted = found.select("offset", "click_id", "session_id", "url", us.alias("us"), read.reason, read.detail).collect()
    return {row[0]: (row[5], row[6]) if row[5] else tuple(row[1:5]) for row in wanted}


def by_python(mapping: Mapping, values: list[bytes]) -> dict[int, tuple[Any, ...]]:
    taken = Records(mapping, "t").take([(0, offset, value) for offset, value in enumerate(values)])
    us = taken.clicks["ts"].dt.tz_localize(None).to_numpy("datetime64[us]").astype("int64")
    clicks = zip(
        *(taken.clicks[name] for name in ("offset", "click_id", "session_id", "url")), us.tolist(), strict=True
    )
    found: dict[int, tuple[Any, ...]] = {click[0]: click[1:] for click in clicks}
    for frame in (taken.rejected, taken.aside):
        for offset, detail in zip(frame["offset"], frame["reason"], strict=True):
            kind = (
                "malformed" if frame is taken.rejected else "no_visitor" if detail[:10] == "no visitor" else "filtered"
            )
            found[offset] = kind, detail
    return found


def check(spark: SparkSession, mapping: Mapping, values: list[bytes]) -> None:
    mapping = topic_mapping(mapping)
    spark_found, python_found = by_spark(spark, mapping, values), by_python(mapping, values)
    differing = {
        values[n]: (spark_found.get(n), found) for n, found in python_found.items() if spark_found.get(n) != found
    }
    assert not differing
    assert len(spark_found) == len(values)


@pytest.mark.parametrize(
    "mapping", [*MAPPINGS[1:4], *MAPPINGS[7:]], ids=[1, 2, 3, "exclude", "where", "parts", "ad of parts"]
)
def test_spark_reads_records_as_python_does(session: SparkSession, mapping: Mapping) -> None:
    check(session, mapping, records(seed=1, count=600))


@pytest.mark.long
@pytest.mark.parametrize("mapping", MAPPINGS, ids=range(len(MAPPINGS)))
def test_spark_reads_many_records_as_python_does(session: SparkSession, mapping: Mapping) -> None:
    check(session, mapping, records(seed=2, count=30_000))


def test_what_is_excluded_is_what_python_excludes(session: SparkSession) -> None:
    networks = ["0.0.0.0/0", "203.0.113.8/29", "198.51.100.7", "::/0", "2001:db8::/32", "::ffff:0:0/96", "fe80::/10"]
    values = [json.dumps({"session_id": "s", "url": "/", "ts": "2026-01-02T03:04:05Z", "ip": ip}) for ip in HOSTS]
    for network in networks:
        check(session, Mapping(exclude=[network]), [value.encode() for value in values])
    agents = ["UptimeRobot/2.0", "uptimerobot", "-", "", 5, None, "\0UPTIMEROBOT", "x"]
    values = [
        json.dumps({"session_id": "s", "url": "/?a=1", "ts": "2026-01-02T03:04:05Z", "user_agent": a}) for a in agents
    ]
    check(session, Mapping(exclude=["UptimeRobot", "agent:-", "5"]), [value.encode() for value in values])
    check(session, Mapping(exclude=["/?a"]), [value.encode() for value in values])


def test_nothing_is_worked_out_again_and_again(session: SparkSession, capsys: pytest.CaptureFixture[str]) -> None:
    mapping = topic_mapping(Mapping(time_unit="ms", tz="UTC", exclude=["10.0.0.0/8", "2001:db8::/32", "bot"]))
    rows = [(None, bytearray(b"{}"), 0, 0)]
    frame = session.createDataFrame(rows, "key binary, value binary, partition int, offset bigint").coalesce(1)
    ForeignRecords(mapping, "t")(frame.withColumn("timestamp", F.current_timestamp())).explain()
    assert 10_000 < len(capsys.readouterr().out) < 150_000  # of half a million characters, one record took a second


@pytest.mark.parametrize("client", ["public", 1])
def test_hosts_are_those_that_python_finds(session: SparkSession, client: Any) -> None:
    texts = list(HOSTS)
    frame = session.createDataFrame([(text,) for text in texts], "text string").coalesce(1)
    found = [row[0] for row in frame.select(host(F.col("text"), client)).collect()]
    assert dict(zip(texts, found, strict=True)) == dict(zip(texts, hosts(pd.Series(texts), client), strict=True))
