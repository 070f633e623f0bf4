"""What commands share: a line on stderr, and the broker, topics and file that were named. No command is here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from workbench.errors import ClickError
from workbench.text import printable

if TYPE_CHECKING:
    from argparse import Namespace

    from workbench.broker.topics import Connection, Topics
    from workbench.clicks.files import Recording

__all__ = ["connect", "read_file", "say", "topics_of"]

_REJECTED_SHOWN = 3


def say(text: str) -> None:
    """Tell how it goes, on stderr."""
    print(text, file=sys.stderr, flush=True)


def connect(args: Namespace) -> Connection:
    """The broker that was named, else the embedded one, which is started when it does not run."""
    from workbench.broker.topics import connect

    return connect(args.brokers)


def topics_of(args: Namespace) -> Topics:
    """The topics that were named."""
    from workbench.broker.topics import Topics

    return Topics(args.clicks_topic, args.verdicts_topic, args.dead_letter_topic)


def read_file(args: Namespace) -> Recording:
    """The clicks of the file that was named; what was rejected is told on stderr."""
    from workbench.clicks.files import read, read_mapping

    mapping = read_mapping(",".join(args.map))
    bars = sys.stderr.isatty()
    recording = read(args.file, args.format, mapping or None, args.assets, args.idle_gap, bars)
    say(f"{args.file}: {recording}")
    for line in recording.rejected.head(_REJECTED_SHOWN).itertuples():
        say(f"  rejected line {line.line}: {line.reason}: {printable(str(line.text))}")
    if recording.clicks.empty:
        raise ClickError(f"{args.file} holds no clicks. Fix: see what was rejected, or try --format or --assets")
    return recording
