"""How fast a backlog drains: 300,000 clicks at once, several times, to a detector that is ever warmer.

.venv/bin/python bench/throughput.py [--clicks 300000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime, timedelta

import psutil
from rig import oracle, private_broker

from workbench import detector
from workbench.broker import Topics, end_offsets, ensure_topics
from workbench.rule import Rule


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--clicks", type=int, default=300_000)
    options.add_argument("--rounds", type=int, default=3)
    asked = options.parse_args()
    with private_broker() as connection:

        def written(*names: str) -> int:
            return sum(sum(end_offsets(connection, name).values()) for name in names)

        topics = Topics()
        ensure_topics(connection, topics)
        with detector.start(Rule(), connection, checkpoint_every="60s") as handle:
            handle.wait_until_started()
            java = next(p for p in psutil.Process().children(recursive=True) if "pyspark-shell" in p.cmdline())
            for number in range(asked.rounds):
                begin = datetime.now(UTC) - timedelta(seconds=asked.clicks / 20_000)
                records = oracle.hostile(asked.clicks, seed=number, begin=begin, per_second=20_000)
                for record in records:  # a round has clicks of its own
                    record.value = record.value.replace(b'"c', b'"r%d-c' % number, 2).replace(
                        b'"r%d-click' % number, b'"click'
                    )
                before, goal = written(topics.verdicts), written(topics.verdicts, topics.dead_letters) + len(records)
                cpu = sum(java.cpu_times()[:2])
                oracle.send(connection.bootstrap, topics.clicks, records)
                # From here on the time is the drain's; what was judged while sending is not counted. Only ends are
                # looked at: a reader would take its share of the processors.
                head, since = written(topics.verdicts), time.monotonic()
                while written(topics.verdicts, topics.dead_letters) < goal:
                    time.sleep(0.1)
                seconds = time.monotonic() - since
                after = written(topics.verdicts)
                used = (sum(java.cpu_times()[:2]) - cpu) / (after - before) * 1e6
                rss = java.memory_info().rss / 1e6
                print(
                    f"round {number + 1}: {(after - head) / seconds:8,.0f} verdicts/s while draining {after - head:,}; "
                    f"{used:.0f} us of processor time a verdict; driver {rss:,.0f} MB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
