"""`workbench detect`: run a detector, and say how it goes. The detector itself: `detector.handle`."""

from __future__ import annotations

import contextlib
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from functools import partial
from typing import TYPE_CHECKING

from workbench.cli.console import connect, say, topics_of
from workbench.cli.mapping import topic_mapping_of
from workbench.errors import BrokerError, DetectorError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from workbench.detector.handle import Detector
    from workbench.detector.metrics import MetricsServer
    from workbench.detector.progress import Progress

__all__ = ["detect"]

_SAY_EVERY_S = 5.0
_DRAW_EVERY_S = 0.5
_STUCK_S = 120.0
_NO_LIMIT = "24h"


def detect(args: Namespace) -> int:
    """Judge clicks until all that are there have a verdict, or without end. Leaves no Spark behind."""
    from workbench.clicks.foreign import described, topic_mapping
    from workbench.detector import handle
    from workbench.detector.settings import Tolerance
    from workbench.machine.folders import state_dir
    from workbench.rule import Rule
    from workbench.spark.session import stop_spark

    rule, tolerance, topics = Rule(args.window, args.threshold), Tolerance(args.late, args.ahead), topics_of(args)
    mapping = topic_mapping_of(args)
    checkpoint = args.checkpoint or state_dir() / "checkpoints-of-topics" / topics.clicks
    serve_metrics: Callable[[], AbstractContextManager[MetricsServer | None]] = contextlib.nullcontext
    if args.metrics:
        from workbench.detector.metrics import Address, listen

        serve_metrics = partial(listen, Address.parse(args.metrics, args.metrics_anywhere))
    began = time.monotonic()
    # The pool last: a wait in it ends only when the detector has stopped.
    try:
        with (
            ThreadPoolExecutor(1) as pool,
            serve_metrics() as metrics,
            handle.detect(
                rule,
                connect(args),
                topics=topics,
                starting=args.starting,
                checkpoint=checkpoint,
                fresh=args.fresh,
                checkpoint_every=args.checkpoint_every,
                tolerance=tolerance,
                master=args.master,
                on_lost_clicks="go_on" if args.go_on_after_lost_clicks else "fail",
                mapping=mapping,
            ) as running,
        ):
            say(f"Starting to judge {topics.clicks} at {running.connection.bootstrap} by {rule.rule_id} …")
            if mapping is not None:
                say(f"  {described(topic_mapping(mapping))}")
            if metrics is not None:
                metrics.watch(running)
                say(f"Metrics at {metrics.url}")
            if args.until_caught_up:
                running.wait_until_started()
                _watch_lag(running, pool.submit(running.wait_until_caught_up, _NO_LIMIT))
            else:
                _watch(running)
    finally:
        stop_spark()
    if running.error is not None:
        raise running.error
    last = running.progress
    if dropped := last.dropped_by_watermark:
        raise DetectorError(
            f"{dropped:,} rows were dropped by the watermark: their clicks have no exact verdict. "
            "Fix: judge the topic again with a greater --late and --fresh"
        )
    done = f"{last.verdicts:,} verdicts, {last.dead_letters:,} dead letters in {time.monotonic() - began:.0f} s"
    print(f"{'Caught up' if args.until_caught_up else 'Stopped'}: {done}.")
    return 0


def _watch(running: Detector) -> None:
    """Say every few seconds how far it is, until Ctrl-C. Raises what makes the detector fail."""
    try:
        running.wait_until_started()
        while running.error is None:
            say(_how_far(running))
            wake = time.monotonic() + _SAY_EVERY_S
            while running.error is None and time.monotonic() < wake:
                time.sleep(0.1)
    except KeyboardInterrupt:
        say("Stopping …")
        return
    raise running.error


def _how_far(running: Detector) -> str:
    try:
        return str(running.progress)
    except BrokerError as error:  # Spark waits for a broker that is away for a while, and so does this
        return f"workbench: {error}"


def _watch_lag(running: Detector, caught_up: Future[Detector]) -> None:
    """Draw a bar of what is left, or print it where no terminal is, until `caught_up`. Raises what went wrong."""
    from tqdm.auto import tqdm

    drawn = sys.stderr.isatty()
    progress = running.progress
    total = progress.lag
    latest, moved = _outcomes(progress), time.monotonic()
    printed = moved
    with tqdm(total=total, unit=" clicks", unit_scale=True, desc="judging", disable=not drawn) as bar:
        while not wait_for([caught_up], _DRAW_EVERY_S).done:
            progress = running.progress
            bar.update(max(0, total - progress.lag - bar.n))
            if not drawn and time.monotonic() - printed >= _SAY_EVERY_S:
                printed = time.monotonic()
                say(str(progress))
            if _outcomes(progress) != latest:
                latest, moved = _outcomes(progress), time.monotonic()
            if time.monotonic() - moved > _STUCK_S:
                raise DetectorError(
                    f"no verdict for {_STUCK_S:.0f} s, though clicks wait for one ({progress}). "
                    "Fix: look into Spark's log; a click that Spark dropped needs a greater --late and --fresh"
                )
        caught_up.result()
        bar.update(max(0, total - running.progress.lag - bar.n))


def _outcomes(progress: Progress) -> int:
    return progress.verdicts + progress.dead_letters
