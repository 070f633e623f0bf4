"""The rule in Pathway: clicks of a session and URL sorted by time, each compared with the second one before it.

    python pathway_rule.py BOOTSTRAP CLICKS VERDICTS DEAD-LETTERS

The table of clicks is all the state there is, and nothing leaves it: memory grows with every click. A verdict that
changes is withdrawn (diff -1) and written anew. What is no JSON only shows in the log.
"""

from __future__ import annotations

import sys

import pathway as pw

bootstrap, clicks, verdicts, _ = sys.argv[1:]
kafka = {"bootstrap.servers": bootstrap, "group.id": f"pathway-{clicks}", "auto.offset.reset": "earliest"}


class Click(pw.Schema):
    click_id: str
    session_id: str
    url: str
    ts: str


arrived = pw.io.kafka.read(kafka, topic=clicks, format="json", schema=Click, autocommit_duration_ms=100)
once = arrived.groupby(*arrived).reduce(*arrived)  # a click that is delivered twice counts once
page = once.with_columns(ts=once.ts.dt.strptime("%Y-%m-%dT%H:%M:%S.%fZ"))
page += page.sort(key=page.ts, instance=pw.make_tuple(page.session_id, page.url))
page += page.select(second_before=page.ix(page.prev, optional=True).prev)
page += page.select(since=page.ix(page.second_before, optional=True).ts)
near = page.ts - pw.coalesce(page.since, page.ts) < pw.Duration(seconds=10)
flagged = pw.if_else(page.since.is_none(), False, near)
answer = page.select(page.click_id, page.session_id, page.url, fraudClick=pw.if_else(flagged, "Yes", "No"))
pw.io.kafka.write(answer, kafka, topic_name=verdicts, format="json")
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
