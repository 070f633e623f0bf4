"""Changing the rule under load: how long no click is judged, how late verdicts are meanwhile, and exactness.

    .venv/bin/python bench/apply_rule.py [--rate 1000] [--seconds 90] [--seed 1]

The traffic is hostile: out of order, redelivered, malformed. Every verdict is held against the oracle of the tests.
"""

from __future__ import annotations

import argparse
import threading
import time
from datetime import UTC, datetime, timedelta

import numpy as np
from rig import oracle, private_broker

from workbench.broker.topics import Topics, ensure_topics
from workbench.detector.handle import detect
from workbench.rule import Rule

CHANGES = [Rule("10s", 4), Rule("20s", 3), Rule("60s", 5), Rule("5s", 2), Rule("10s", 3)]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rate", type=float, default=1000)
    options.add_argument("--seconds", type=float, default=150)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    with private_broker() as connection:
        topics = Topics()
        ensure_topics(connection, topics)
        called: list[tuple[float, Rule]] = []
        with detect(Rule(), connection) as handle:
            handle.wait_until_started()
            begin = datetime.now(UTC) + timedelta(seconds=1)
            records = oracle.hostile(int(asked.rate * asked.seconds), asked.seed, begin, per_second=asked.rate)
            sending = threading.Thread(target=oracle.send_live, args=(connection.bootstrap, topics.clicks, records))
            sending.start()
            for number, rule in enumerate(CHANGES):
                due = begin.timestamp() + asked.seconds * (0.4 + 0.5 * number / len(CHANGES))
                time.sleep(max(0.0, due - time.time()))
                called.append((time.time(), rule))
                hand_over = handle.apply(rule)
                assert hand_over is not None
                took = time.time() - called[-1][0]
                print(
                    f"{rule.rule_id:>9}: apply took {took:.1f} s, no query for {hand_over.seconds:.1f} s, "
                    f"{hand_over.reread:,} records read again",
                    flush=True,
                )
            sending.join()
            handle.wait_until_caught_up("120s")
            dropped = handle.progress.dropped_by_watermark
        written = np.sort([m.timestamp()[1] / 1000 for m in oracle.read(connection.bootstrap, topics.verdicts)])
        until = [at for at, _ in called[1:]] + [np.inf]
        for (at, rule), next_call in zip(called, until, strict=True):
            near = written[(written > at) & (written < min(at + 12, next_call))]
            gaps = np.diff(near)
            longest = int(gaps.argmax())
            print(
                f"{rule.rule_id:>9}: no verdict for {gaps[longest]:.1f} s; "
                f"the first of the new rule {near[longest + 1] - at:.1f} s after the call"
            )
        answer = oracle.compare_segments(connection.bootstrap, topics)
        print(f"{answer}; dropped by the watermark {dropped}")
        if not answer.exact or dropped:
            raise SystemExit("not exact")


if __name__ == "__main__":
    main()
