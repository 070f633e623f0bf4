"""The rule in Quix Streams: a stateful function per click, state in RocksDB with a changelog topic.

    python quix_rule.py BOOTSTRAP CLICKS VERDICTS DEAD-LETTERS

State is read and written whole, as JSON, at each click: as a plain list, a bot's page would make that ever slower.
So of each second only the first and the last clicks stay: enough for any window that begins or ends in it.
"""

from __future__ import annotations

import sys
import tempfile
from typing import Any

from page_clicks import LATE_US, THRESHOLD, WINDOW_US, judge, parse
from quixstreams import Application, State

bootstrap, clicks, verdicts, dead_letters = sys.argv[1:]
SECOND_US = 1_000_000


def judged(click: dict[str, Any], state: State) -> list[dict[str, Any]]:
    seconds: dict[str, list[list[Any]]] = state.get(click["url"], {})
    seen = [(us, click_id) for second in sorted(seconds) for us, click_id in seconds[second]]
    answer = judge(seen, click)
    if answer:
        second = click["us"] // SECOND_US
        kept = [[us, click_id] for us, click_id in seen if us // SECOND_US == second]
        if len(kept) > 2 * THRESHOLD:
            del kept[THRESHOLD]
        seconds[str(second)] = kept
        oldest = str((seen[-1][0] - WINDOW_US - LATE_US) // SECOND_US)
        state.set(click["url"], {name: page for name, page in seconds.items() if name >= oldest})
    return answer


app = Application(
    broker_address=bootstrap,
    consumer_group=f"quix-{clicks}",
    auto_offset_reset="earliest",
    state_dir=tempfile.mkdtemp(prefix="quix-"),
    loglevel="WARNING",
)
arrived = app.dataframe(app.topic(clicks, value_deserializer="bytes", key_deserializer="bytes"))
rows = arrived.apply(lambda value: (value, parse(value)))
malformed = rows.filter(lambda row: row[1] is None).apply(lambda row: row[0])
malformed.to_topic(app.topic(dead_letters, value_serializer="bytes", key_serializer="bytes"))
answers = (
    rows.filter(lambda row: row[1] is not None).apply(lambda row: row[1]).apply(judged, stateful=True, expand=True)
)
answers.to_topic(app.topic(verdicts, value_serializer="json", key_serializer="bytes"))
app.run()
