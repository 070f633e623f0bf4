"""Clicks through the click page to the topic at an even rate: is any lost, and how long does an answer take?

    .venv/bin/python bench/click_page.py [--rate 500] [--seconds 60] [--detect] [--wait]

The page runs as `workbench click-app` does, in a process of its own, behind a proxy that names the visitors: many, each
of an address of its own, so that the usual limits stay on. A click's time runs from when it was due, not from when the
sender came to it. With --detect a detector judges beside it; with --wait every tenth click asks for its verdict.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator

import numpy as np
from rig import oracle, percentiles, private_broker

from workbench.broker.topics import Connection, Topics, ensure_topics
from workbench.detector.handle import detect
from workbench.rule import Rule

ADS = ("lamp", "ferry", "coffee")
SENDERS = 24
WARM_UP_S = 5.0


@contextlib.contextmanager
def page(connection: Connection) -> Iterator[int]:
    """The page in a process of its own; the port that it listens on."""
    options = ["--port", "0", "--proxies", "1", "--brokers", connection.bootstrap]
    command = [sys.executable, "-m", "workbench", "click-app", *options]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        found = re.search(r":(\d+)$", running.stdout.readline().strip())
        assert found is not None
        yield int(found[1])
    finally:
        running.terminate()
        running.wait(30)


class Visitors:
    """Sends clicks of many visitors over a few connections, each click when it is due."""

    def __init__(self, port: int, rate: float, seconds: float, wait: bool) -> None:
        self._port, self._rate, self._wait = port, rate, wait
        self._numbers = iter(range(int(rate * seconds)))
        self._lock = threading.Lock()
        self._cookies: dict[int, str] = {}
        self.visitors = max(1, int(rate))  # a click a second each: below the limit of a session
        self.acknowledged: list[float] = []  # seconds
        self.ids: list[str] = []
        self.waited: list[tuple[str, float]] = []  # verdict, seconds
        self.statuses: Counter[int] = Counter()

    def run(self) -> float:
        """Send all; the seconds it took."""
        self._begin = time.perf_counter() + 0.2
        threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - self._begin

    def _send(self) -> None:
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        while True:
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                break
            due = self._begin + number / self._rate
            time.sleep(max(0.0, due - time.perf_counter()))
            self._click(line, number, due)
        line.close()

    def _click(self, line: http.client.HTTPConnection, number: int, due: float) -> None:
        visitor = number % self.visitors
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Forwarded-For": f"10.1.{visitor // 250}.{visitor % 250}",
            "Cookie": self._cookies.get(visitor, ""),
        }
        waits = self._wait and number % 10 == 0
        path = "/click?verdict=wait" if waits else "/click"
        line.request("POST", path, f"ad={ADS[number // self.visitors % 3]}", headers)
        answer = line.getresponse()
        body = answer.read()
        took = time.perf_counter() - due
        self.statuses[answer.status] += 1
        if cookie := answer.getheader("Set-Cookie"):
            self._cookies[visitor] = cookie.partition(";")[0]
        if answer.status == 200:
            said = json.loads(body)
            if waits:
                self.waited.append((said["verdict"], took))
            else:
                self.acknowledged.append(took)
            self.ids.append(said["click_id"])


def measure(connection: Connection, topics: Topics, rate: float, seconds: float, wait: bool) -> None:
    with page(connection) as port:
        Visitors(port, rate, WARM_UP_S, wait).run()
        visitors = Visitors(port, rate, seconds, wait)
        took = visitors.run()
    sent = sum(visitors.statuses.values())
    said = f"{dict(visitors.statuses)} of {visitors.visitors} visitors"
    print(f"{sent:,} clicks in {took:.1f} s ({sent / took:.0f}/s): {said}")
    print(f"click to acknowledgement   {percentiles(np.array(visitors.acknowledged))}")
    if visitors.waited:
        print(f"click to verdict           {percentiles(np.array([s for _, s in visitors.waited]))}")
        print(f"  verdicts                 {dict(Counter(verdict for verdict, _ in visitors.waited))}")
    there = Counter(oracle.decoded(message)["click_id"] for message in oracle.read(connection.bootstrap, topics.clicks))
    missing = sum(click_id not in there for click_id in visitors.ids)
    twice = sum(there[click_id] > 1 for click_id in visitors.ids)
    print(f"acknowledged and not on the topic: {missing} of {len(visitors.ids):,}; there more than once: {twice}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rate", type=float, default=500)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--detect", action="store_true")
    options.add_argument("--wait", action="store_true")
    asked = options.parse_args()
    topics = Topics()
    with private_broker() as connection:
        ensure_topics(connection, topics)
        if not asked.detect:
            measure(connection, topics, asked.rate, asked.seconds, asked.wait)
            return
        with detect(Rule(), connection, checkpoint_every="10m") as handle:
            handle.wait_until_started()
            measure(connection, topics, asked.rate, asked.seconds, asked.wait)
            handle.wait_until_caught_up("120s")


if __name__ == "__main__":
    main()
