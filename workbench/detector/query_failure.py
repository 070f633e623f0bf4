"""Why a running query failed, in the words of whoever can mend it. Spark's own words are the last resort."""

from __future__ import annotations

import traceback

from workbench.broker.topics import Connection
from workbench.detector import lost_clicks
from workbench.detector.checkpoint import Checkpoint, disk_full
from workbench.errors import BrokerError, DetectorError, LostClicks

__all__ = ["explain"]

_FULL = "No space left on device"


def explain(failure: DetectorError, connection: Connection, topic: str, checkpoint: Checkpoint) -> DetectorError:
    """The same failure, with its reason where it is one that is known."""
    if _FULL in "".join(traceback.format_exception(failure)):
        return disk_full(checkpoint.path)
    try:
        lost_clicks.refuse(topic, lost_clicks.find(connection, topic, checkpoint.begins_at(topic) or checkpoint.begin))
    except LostClicks as lost:
        return lost
    except (BrokerError, OSError, ValueError):
        pass  # it cannot be looked up now: then Spark's words must do
    return failure
