"""Why a running query failed, in the words of whoever can mend it. Spark's own words are the last resort."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Mapping
from pathlib import Path

from workbench import lost_clicks
from workbench.broker import Connection
from workbench.checkpoint import Checkpoint
from workbench.errors import BrokerError, DetectorError, LostClicks

__all__ = ["explain"]

_FULL = "No space left on device"
_GONE = "OffsetOutOfRange"


def explain(
    failure: DetectorError, connection: Connection, topic: str, starting: Mapping[int, int], checkpoint: Checkpoint
) -> DetectorError:
    """The same failure, with its reason where it is one that is known; its cause stays Spark's.

    starting: where the query began to read the clicks topic, unless the checkpoint says it.
    """
    said = "".join(traceback.format_exception(failure))
    better = failure
    if _FULL in said:
        better = _disk_full(checkpoint.path)
    elif _GONE in said:
        try:
            begin = checkpoint.begins_at(topic) or starting
            lost_clicks.refuse(topic, lost_clicks.find(connection, topic, begin))
        except LostClicks as lost:
            better = lost
        except BrokerError:
            pass  # then Spark's words must do
    if better is not failure:
        better.__cause__ = failure.__cause__
    return better


def _disk_full(checkpoint: Path) -> DetectorError:
    disk = shutil.disk_usage(checkpoint)
    return DetectorError(
        f"the disk is full: the checkpoint {checkpoint} could not be written ({disk.free / 2**20:,.1f} MB free of "
        f"{disk.total / 2**20:,.1f}). Fix: make room; started again, the detector goes on from its checkpoint"
    )
