"""No rule at all: each record read and written on. What the broker and a client cost, and so the limit for the others.

python pass_through.py BOOTSTRAP CLICKS VERDICTS DEAD-LETTERS
"""

from __future__ import annotations

import sys

from confluent_kafka import Consumer, Producer

bootstrap, clicks, verdicts, _ = sys.argv[1:]
source = {"group.id": f"pass-through-{clicks}", "auto.offset.reset": "earliest", "fetch.wait.max.ms": 10}
consumer = Consumer({"bootstrap.servers": bootstrap, **source})
consumer.subscribe([clicks])
producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1, "queue.buffering.max.messages": 1_000_000})
while True:
    for message in consumer.consume(1000, 0.005):
        producer.produce(verdicts, message.value(), message.key())
    producer.poll(0)
