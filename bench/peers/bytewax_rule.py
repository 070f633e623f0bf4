"""The rule in Bytewax: a stateful function per click, state in memory, kept once a minute in a recovery store.

    python bytewax_rule.py BOOTSTRAP CLICKS VERDICTS DEAD-LETTERS

One worker: the function holds Python's lock, so a second thread would add nothing.
"""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax._bytewax import cli_main
from bytewax.connectors.kafka import KafkaSinkMessage
from bytewax.connectors.kafka import operators as kafka
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from page_clicks import judge, parse

bootstrap, clicks, verdicts, dead_letters = sys.argv[1:]
Seen = list[tuple[int, str]]


def judged(seen: Seen | None, click: dict[str, Any]) -> tuple[Seen, list[dict[str, Any]]]:
    seen = seen or []
    return seen, judge(seen, click)


def record(answer: dict[str, Any]) -> KafkaSinkMessage[bytes, bytes]:
    return KafkaSinkMessage(answer["session_id"].encode(), json.dumps(answer).encode())


flow = Dataflow("click_fraud")
arrived = kafka.input("clicks", flow, brokers=[bootstrap], topics=[clicks])
rows = op.map("parse", arrived.oks, lambda message: (message.value, parse(message.value)))
sides = op.branch("is_click", rows, lambda row: row[1] is not None)
pages = op.map("page", sides.trues, lambda row: (f"{row[1]['session_id']}|{row[1]['url']}", row[1]))
answers = op.stateful_flat_map("judge", pages, judged)
kafka.output("verdicts", op.map("record", answers, lambda pair: record(pair[1])), brokers=[bootstrap], topic=verdicts)
letters = op.map("letter", sides.falses, lambda row: KafkaSinkMessage(None, row[0]))
kafka.output("dead_letters", letters, brokers=[bootstrap], topic=dead_letters)

store = Path(tempfile.mkdtemp(prefix="bytewax-"))
init_db_dir(store, 1)
cli_main(flow, workers_per_process=1, epoch_interval=timedelta(seconds=60), recovery_config=RecoveryConfig(store))
