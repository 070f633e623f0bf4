"""Verdict by verdict against the oracle of the tests, on hostile traffic and on a recorded log.

.venv/bin/python bench/exactness.py [--clicks 200000] [--seed 1] [--log access.log]
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime, timedelta

from rig import oracle, private_broker

from workbench.broker import sender
from workbench.broker.topics import Connection, Topics, ensure_topics
from workbench.clicks.files import SAMPLE_LOG, read
from workbench.detector.handle import detect
from workbench.rule import Rule


def judge(connection: Connection, topics: Topics) -> None:
    since = time.monotonic()
    with detect(Rule(), connection, topics=topics, starting="earliest") as handle:
        handle.wait_until_started().wait_until_caught_up("600s")
        dropped = handle.progress.dropped_by_watermark
    answer = oracle.compare(connection.bootstrap, topics)
    print(f"  {answer}; dropped by the watermark {dropped}; {time.monotonic() - since:.0f} s", flush=True)
    if not answer.exact or dropped:
        raise SystemExit("not exact")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--clicks", type=int, default=200_000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--log", default=SAMPLE_LOG)
    asked = options.parse_args()
    with private_broker() as connection:
        begin = datetime.now(UTC) - timedelta(seconds=asked.clicks / 2000 + 5)
        records = oracle.hostile(asked.clicks, asked.seed, begin)
        malformed = sum(record.key == b"x" for record in records)
        print(f"hostile traffic: {len(records):,} records, {malformed:,} of them malformed, seed {asked.seed}")
        hostile = Topics("hostile", "hostile-verdicts", "hostile-dead-letters")
        ensure_topics(connection, hostile)
        oracle.send(connection.bootstrap, hostile.clicks, records)
        judge(connection, hostile)

        recording = read(asked.log)
        print(f"recorded log: {recording}")
        logged = Topics("logged", "logged-verdicts", "logged-dead-letters")
        ensure_topics(connection, logged)
        sender.replay(recording, connection, speed="max", topic=logged.clicks).wait()
        judge(connection, logged)


if __name__ == "__main__":
    main()
