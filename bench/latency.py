"""Click to verdict, from producer send to consumer receipt, and a plain copy through the same broker beside it.

    .venv/bin/python bench/latency.py [--rate 1000] [--seconds 120] [--checkpoint-every 60s]

Checkpoints make verdicts wait. What was sent within 3 s of one is shown by itself.
"""

from __future__ import annotations

import argparse
import threading
import time
import uuid

import numpy as np
from confluent_kafka import Consumer, Producer
from rig import Reader, paced, percentiles, private_broker, reports

from workbench.broker.topics import Connection, Topics, ensure_topics
from workbench.detector.handle import detect
from workbench.rule import Rule

WARM_UP_S = 10.0
STALL_S = 3.0


def copy(connection: Connection, source: str, target: str, stop: threading.Event) -> None:
    """Read and write on, nothing else: the least that a hop through the broker takes."""
    options = {"group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 10}
    consumer = Consumer({"bootstrap.servers": connection.bootstrap, **options})
    consumer.subscribe([source])
    producer = Producer({"bootstrap.servers": connection.bootstrap, "linger.ms": 1})
    while not stop.is_set():
        for message in consumer.consume(1000, 0.005):
            producer.produce(target, message.value(), message.key())
        producer.poll(0)
    consumer.close()


def pass_through(connection: Connection, rate: float, seconds: float) -> None:
    ensure_topics(connection, ["copy-in", "copy-out"])
    reader, stop = Reader(connection, ["copy-out"]), threading.Event()
    copier = threading.Thread(target=copy, args=(connection, "copy-in", "copy-out", stop))
    copier.start()
    paced(connection, "copy-in", rate, 3)
    sent = paced(connection, "copy-in", rate, seconds)
    time.sleep(1)
    stop.set()
    copier.join()
    reader.stop()
    took = np.array([reader.received[click] - at for click, at in sent.items() if click in reader.received])
    print(f"broker pass-through        {percentiles(took)}", flush=True)


def judged(connection: Connection, rate: float, seconds: float, every: str) -> None:
    topics = Topics()
    ensure_topics(connection, topics)
    reader = Reader(connection, [topics.verdicts])
    begin = time.time()
    with detect(Rule(), connection, checkpoint_every=every) as handle:
        handle.wait_until_started()
        started = time.time()
        print(f"started after {started - begin:.1f} s", flush=True)
        sent = paced(connection, topics.clicks, rate, seconds)
        handle.wait_until_caught_up("60s")
        told = reports()
    reader.stop()
    # A batch that still runs has not reported. Its end is the checkpoint.
    begins = [np.datetime64(report["timestamp"].rstrip("Z"), "ms").astype(float) / 1e3 for report in told]
    stops = np.array([begin + report["batchDuration"] / 1e3 for begin, report in zip(begins, told, strict=True)])
    missing = [click for click in sent if click not in reader.received]
    at = np.array([at for click, at in sent.items() if click in reader.received])
    took = np.array([reader.received[click] for click in sent if click in reader.received]) - at
    stops = stops[(stops > at[0]) & (stops < at[-1])]
    near = ((at[:, None] > stops - STALL_S) & (at[:, None] < stops + STALL_S)).any(axis=1)
    for second in range(0, int(seconds), 5):
        part = took[(at >= started + second) & (at < started + second + 5)]
        if part.size:
            print(f"  {second:3d}-{second + 5:3d} s              {percentiles(part)}")
    warm = at >= started + WARM_UP_S
    print(f"click to verdict, warm     {percentiles(took[warm & ~near])}")
    if (warm & near).any():
        stalled = took[warm & near]
        print(f"  within {STALL_S:.0f} s of {stops.size} checkpoints {percentiles(stalled)}")
    print(f"  all, warm                {percentiles(took[warm])}")
    print(f"missing verdicts: {len(missing)} of {len(sent):,}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rate", type=float, default=1000)
    options.add_argument("--seconds", type=float, default=120)
    options.add_argument("--checkpoint-every", default="60s")
    asked = options.parse_args()
    with private_broker() as connection:
        pass_through(connection, asked.rate, 15)
        judged(connection, asked.rate, asked.seconds, asked.checkpoint_every)


if __name__ == "__main__":
    main()
