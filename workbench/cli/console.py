"""What commands share: a line on stderr, and the broker, topics and file that were named. No command is here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from workbench.errors import ClickError
from workbench.text import printable

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from workbench.broker.topics import Connection, Topics
    from workbench.clicks.recording import Recording

__all__ = ["connect", "read_files", "say", "tell", "topics_of"]

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


def read_files(args: Namespace) -> Recording:
    """The clicks of the files that were named. How they were read, and what was not taken, is told on stderr."""
    from workbench.cli.mapping import mapping_of
    from workbench.clicks.files import read

    recording = read(args.file, mapping_of(args), progress=sys.stderr.isatty())
    tell(args.file, recording)
    if recording.clicks.empty:
        raise ClickError(f"{' '.join(args.file)} holds no clicks. Fix: see above what was left out or rejected")
    return recording


def tell(files: Sequence[str], recording: Recording) -> None:
    """Tell on stderr what was read of files."""
    say(f"{' '.join(files)}: {recording}")
    for line in recording.told():
        say(f"  {printable(line)}")
    for row in recording.rejected.head(_REJECTED_SHOWN).itertuples():
        where = f"{row.file} line {row.line}" if len(files) > 1 else f"line {row.line}"
        say(f"  rejected {where}: {row.reason}: {printable(str(row.text))}")
