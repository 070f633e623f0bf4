"""Progress reports as Spark writes them. No tests here."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

TOPIC = "fcd-producer"


def report(batch: int, offsets: dict[int, int] | None = None, *, dropped: int = 0, rows: int = 0) -> Any:
    """A report in the form of `REPORTS`, of this batch."""
    ends = [json.dumps({TOPIC: {str(number): at}}) for number, at in (offsets or {}).items()]
    return SimpleNamespace(
        json=json.dumps(
            {
                "batchId": batch,
                "timestamp": "2026-01-02T03:04:05.678Z",
                "durationMs": {"triggerExecution": 5600, "addBatch": 5100},
                "eventTime": {"watermark": "2026-01-02T03:02:25.000Z"},
                "stateOperators": [
                    {"numRowsTotal": rows, "numRowsDroppedByWatermark": dropped, "memoryUsedBytes": 10 * rows}
                ],
                "sources": [{"endOffset": end} for end in ends],
            }
        )
    )
