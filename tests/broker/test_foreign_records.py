"""Records as other programs write them: in transactions, compressed by any codec, without a value, compacted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from foreign import Transactions, put, value
from polling import until

from workbench.broker.clients import CODECS, admin_client
from workbench.broker.recorded import read_topic
from workbench.broker.topics import Connection, Topics, describe, end_offsets, ensure_topics
from workbench.clicks.intake import CRAWLERS, NO_VISITOR_SAID
from workbench.reports.findings import of_topics
from workbench.rule import Rule
from workbench.verdicts.audit import audit

pytestmark = pytest.mark.java


def read_ids(connection: Connection, topic: str) -> list[str]:
    return sorted(read_topic(connection, topic).clicks["click_id"])


def test_only_what_was_committed_is_there_for_any_of_the_readers(connection: Connection, topics: Topics) -> None:
    ensure_topics(connection, topics)
    sender = Transactions(connection, topics.clicks)
    sender.begin(*(value(f"a{n}") for n in range(5)))
    sender.abort()
    sender.begin(value("c1"), value("c2"))
    sender.commit()
    sender.begin(*(value(f"b{n}") for n in range(5)))
    sender.abort()
    assert end_offsets(connection, topics.clicks)[0] == 15  # with the marks that end transactions
    found = read_topic(connection, topics.clicks)
    assert (found.records, found.invalid, sorted(found.clicks["click_id"])) == (2, 0, ["c1", "c2"])
    held = audit(connection, topics)
    assert (held.clicks, held.missing, held.lost) == (2, 2, 0)


def test_a_topic_ends_before_a_transaction_that_is_still_open(connection: Connection, topics: Topics) -> None:
    ensure_topics(connection, topics)
    sender = Transactions(connection, topics.clicks)
    sender.begin(value("c1"))
    sender.commit()
    sender.begin(value("c2"))
    assert describe(connection, [topics.clicks])[topics.clicks].end[0] == 2
    assert read_ids(connection, topics.clicks) == ["c1"]
    sender.commit()
    assert read_ids(connection, topics.clicks) == ["c1", "c2"]


def test_a_report_of_a_topic_counts_what_its_mapping_leaves_out_and_shows_what_it_carries_along(
    connection: Connection, topics: Topics
) -> None:
    ensure_topics(connection, topics)

    def click(second: int, **more: str) -> bytes:
        fields = {"who": "v1", "page": "/ad?gclid=1", "at": f"2026-01-02 03:04:{second:02}", "net": "shop"}
        return json.dumps(fields | more).encode()

    probes = [click(n, who="p", agent="kube-probe/1.29") for n in range(3)]
    others = [click(7, ip="10.0.0.7"), click(8, who="-"), b"no click", None]
    put(connection, topics.clicks, *(click(n, ip="203.0.113.9") for n in range(4)), *probes, *others)
    mapping = {
        "session_id": "who", "url": "page", "ts": "at", "user_agent": "agent", "tz": "UTC", "carry": {"network": "net"},
        "exclude": ["10.0.0.0/8", "/nowhere"],
    }  # fmt: skip
    found = of_topics(connection, topics, Rule("10s", 3), mapping=mapping)
    counted = found.quality.set_index("what")["records"]
    said = {"records": 11, "clicks": 4, "malformed": 1, "left out: excluded": 1, "tombstones, which only delete": 1}
    said |= {f"left out: {CRAWLERS}": 3, f"left out: {NO_VISITOR_SAID}": 1}
    assert {what: counted[what] for what in said} == said
    assert sum(said.values()) == 2 * said["records"]
    assert (found.figures["flagged"], found.figures["flagged_by_crawlers"]) == (2, 1)
    assert found.notes[0].startswith("8 URLs without parameters that are new with each click: gclid (8)")
    assert found.notes[1:] == ("--exclude /nowhere left out nothing",)
    assert found.judged["network"].tolist() == ["shop"] * 4
    kept = of_topics(connection, topics, Rule("10s", 3), mapping=mapping | {"crawlers": "keep"})
    assert (kept.figures["clicks"], kept.figures["flagged"], kept.figures["by_crawlers"]) == (7, 3, 3)


def make(connection: Connection, topic: str, **settings: str) -> None:
    with admin_client(connection) as admin:
        configs = {name.replace("_", "."): each for name, each in settings.items()}
        admin.create_topics({topic: {"num_partitions": 1, "configs": configs}})
        admin.wait_for_topics([topic])


@pytest.mark.parametrize("by", ["sender", "broker"])
@pytest.mark.parametrize("codec", sorted(CODECS))
def test_records_are_read_whatever_they_are_compressed_by(
    codec: str, by: str, connection: Connection, topics: Topics
) -> None:
    make(connection, topics.clicks, **({"compression_type": codec} if by == "broker" else {}))
    compressed: dict[str, Any] = {}
    if by == "sender":
        compressed = {"compression_type": codec, "linger_ms": 50, "batch_size": 4_000_000}
    ids = sorted(f"{codec}-{number:05}" for number in range(12_000))  # more than 1 MB, where it is unpacked
    put(connection, topics.clicks, *map(value, ids), **compressed)
    assert read_ids(connection, topics.clicks) == ids


def test_what_compaction_has_left_is_read_to_the_end(connection: Connection, topics: Topics) -> None:
    settings = {"segment_ms": "100", "min_cleanable_dirty_ratio": "0.01", "delete_retention_ms": "0"}
    make(connection, topics.clicks, cleanup_policy="compact", **settings)
    sent = 0

    def compacted() -> bool:
        """One more record closes a segment, and a closed one is compacted some time."""
        nonlocal sent
        put(connection, topics.clicks, *(value(f"c{number}") for number in range(sent, sent + 3)))
        sent += 3
        return read_topic(connection, topics.clicks).records < sent

    until(compacted, 90, every=1.0)
    found = read_topic(connection, topics.clicks)
    assert found.clicks["click_id"].iloc[-1] == f"c{sent - 1}"
    assert end_offsets(connection, topics.clicks) == {0: sent}
