"""How fast a backlog drains: 300,000 clicks at once, several times, to a detector that is ever warmer.

.venv/bin/python bench/throughput.py [--clicks 300000] [--rounds 3] [--cluster]

--cluster: on a standalone Spark cluster of this machine, a master and two workers, instead of in the driver.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rig import driver, oracle, private_broker, written
from spark_cluster import SparkCluster

from workbench.broker.topics import Topics, describe
from workbench.detector.handle import detect
from workbench.detector.positions import Positions
from workbench.rule import Rule

LONGEST_S = 300.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--clicks", type=int, default=300_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--cluster", action="store_true")
    asked = options.parse_args()
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(private_broker())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(SparkCluster(folder)) if asked.cluster else None
        topics = Topics()
        positions = Positions(connection, topics, describe(connection, topics, create=True))

        outputs = (topics.verdicts, topics.dead_letters)
        master = cluster.url if cluster else None
        with detect(Rule(), connection, checkpoint_every="60s", master=master) as handle:
            handle.wait_until_started()
            javas = [driver()]
            javas += (
                [executor for worker in cluster.workers for executor in cluster.executors(worker)] if cluster else []
            )
            for number in range(asked.rounds):
                begin = datetime.now(UTC) - timedelta(seconds=asked.clicks / 20_000)
                records = oracle.hostile(asked.clicks, seed=number, begin=begin, per_second=20_000)
                for record in records:  # a round has clicks of its own
                    record.value = record.value.replace(b'"c', b'"r%d-c' % number, 2).replace(
                        b'"r%d-click' % number, b'"click'
                    )
                before, goal = written(positions, topics.verdicts), written(positions, *outputs) + len(records)
                cpu = sum(sum(java.cpu_times()[:2]) for java in javas)
                oracle.send(connection.bootstrap, topics.clicks, records)
                # From here on the time is the drain's; what was judged while sending is not counted. Only ends are
                # looked at: a reader would take its share of the processors.
                head, since = written(positions, topics.verdicts), time.monotonic()
                while written(positions, *outputs) < goal:
                    if handle.state != "running" or time.monotonic() > since + LONGEST_S:
                        break
                    time.sleep(0.1)
                seconds = time.monotonic() - since
                after = written(positions, topics.verdicts)
                handle.wait_until_caught_up("60s")  # not timed: says what went wrong, or that nothing is left
                used = (sum(sum(java.cpu_times()[:2]) for java in javas) - cpu) / (after - before) * 1e6
                rss = " and ".join(f"{java.memory_info().rss / 1e6:,.0f}" for java in javas)
                print(
                    f"round {number + 1}: {(after - head) / seconds:8,.0f} verdicts/s while draining {after - head:,}; "
                    f"{used:.0f} us of processor time a verdict; driver{' and executors' if cluster else ''} {rss} MB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
