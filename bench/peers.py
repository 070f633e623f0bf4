"""The same rule on other engines, interleaved with the workbench's detector: speed, latency, memory, exactness.

    .venv/bin/python bench/peers.py [--clicks 200000] [--rounds 2] [--engines workbench flink …] [--seed N] [--write]

Each round runs every engine once, in an order of its own, on the same clicks. What a run is, `peer_runs` says; the
engines' programs are in `peers/`. An engine that cannot be installed or does not run is named with the reason. --write
renews the table in bench/README.md and the picture beside it.
"""

from __future__ import annotations

import argparse
import random
import secrets
import tempfile
from collections import defaultdict
from pathlib import Path

from peer_engines import ENGINES, EngineFailed
from peer_runs import Run, Sizes, measure
from peer_table import text_table, write
from rig import private_broker

from workbench.errors import WorkbenchError


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "--clicks", type=int, default=200_000, help="of the backlog; a quarter more warms up before it"
    )
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--rate", type=float, default=1000, help="clicks a second while latency is measured")
    options.add_argument("--seconds", type=float, default=20, help="for which latency is measured in each run")
    options.add_argument("--engines", nargs="+", choices=[engine.name for engine in ENGINES], metavar="ENGINE")
    options.add_argument("--seed", type=int, default=secrets.randbelow(10_000))
    options.add_argument("--write", action="store_true", help="renew bench/README.md and its picture")
    asked = options.parse_args()
    engines = [engine for engine in ENGINES if not asked.engines or engine.name in asked.engines]
    sizes = Sizes(asked.clicks // 4, asked.clicks, asked.rate, asked.seconds)
    runs: dict[str, list[Run]] = defaultdict(list)
    failed: dict[str, str] = {}
    print(f"seed {asked.seed}", flush=True)
    order = random.Random(asked.seed)
    with private_broker() as connection, tempfile.TemporaryDirectory(prefix="workbench-peers-") as folder:
        for number in range(asked.rounds):
            for engine in order.sample(engines, len(engines)):
                if engine.name in failed:
                    continue
                try:
                    run = measure(
                        engine, connection, sizes, asked.seed + number, f"{engine.name}-{number}", Path(folder)
                    )
                except (EngineFailed, WorkbenchError) as error:
                    failed[engine.name] = str(error)
                    print(f"{engine.label}: {error}", flush=True)
                    continue
                runs[engine.name].append(run)
                print(f"round {number + 1}, {engine.label}: {run}", flush=True)
    print("\n" + text_table(engines, runs, failed))
    if asked.write:
        write(engines, runs, failed, sizes, asked.seed)


if __name__ == "__main__":
    main()
