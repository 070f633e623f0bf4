"""Progress reports as Spark 4.3 wrote them of a real-time query, without what nobody here reads. No tests here."""

from __future__ import annotations

import copy
import json
from types import SimpleNamespace
from typing import Any

TOPIC = "fcd-producer"
# fmt: off
_TAKEN: list[dict[str, Any]] = [
    {'timestamp': '2026-11-28T00:07:47.489Z',
     'batchId': 0,
     'batchDuration': 44481,
     'numInputRows': 0,
     'durationMs': {'addBatch': 30042,
                    'commitOffsets': 1907,
                    'getBatch': 94,
                    'latestOffset': 3751,
                    'queryPlanning': 7886,
                    'triggerExecution': 44373,
                    'walCommit': 227},
     'eventTime': {'watermark': '1970-01-01T00:00:00.000Z'},
     'stateOperators': [{'numRowsTotal': 0,
                         'numRowsUpdated': 0,
                         'memoryUsedBytes': 4272,
                         'numRowsDroppedByWatermark': 0}],
     'sources': [{'startOffset': None, 'endOffset': {'fcd-producer': {'0': 0}}, 'numInputRows': 0},
                 {'startOffset': None, 'endOffset': {'fcd-producer': {'1': 0}}, 'numInputRows': 0}]},
    {'timestamp': '2026-11-28T00:08:32.466Z',
     'batchId': 1,
     'batchDuration': 17108,
     'numInputRows': 2,
     'durationMs': {'addBatch': 14588,
                    'commitOffsets': 69,
                    'getBatch': 1,
                    'latestOffset': 65,
                    'queryPlanning': 2151,
                    'triggerExecution': 17086,
                    'walCommit': 165},
     'eventTime': {'avg': '2026-11-28T00:08:10.867Z',
                   'max': '2026-11-28T00:08:10.867Z',
                   'min': '2026-11-28T00:08:10.867Z',
                   'watermark': '1970-01-01T00:00:00.000Z'},
     'stateOperators': [{'numRowsTotal': 4,
                         'numRowsUpdated': 4,
                         'memoryUsedBytes': 2101440,
                         'numRowsDroppedByWatermark': 0}],
     'sources': [{'startOffset': {'fcd-producer': {'0': 0}},
                  'endOffset': {'fcd-producer': {'0': 1}},
                  'numInputRows': 1},
                 {'startOffset': {'fcd-producer': {'1': 0}},
                  'endOffset': {'fcd-producer': {'1': 1}},
                  'numInputRows': 1}]},
    {'timestamp': '2026-11-28T00:08:49.770Z',
     'batchId': 2,
     'batchDuration': 12048,
     'numInputRows': 396,
     'durationMs': {'addBatch': 9417,
                    'commitOffsets': 135,
                    'getBatch': 0,
                    'latestOffset': 129,
                    'queryPlanning': 2086,
                    'triggerExecution': 12048,
                    'walCommit': 196},
     'eventTime': {'avg': '2026-11-28T00:08:10.975Z',
                   'max': '2026-11-28T00:08:11.076Z',
                   'min': '2026-11-28T00:08:10.867Z',
                   'watermark': '2026-11-28T00:06:30.866Z'},
     'stateOperators': [{'numRowsTotal': 776,
                         'numRowsUpdated': 778,
                         'memoryUsedBytes': 2101440,
                         'numRowsDroppedByWatermark': 0}],
     'sources': [{'startOffset': {'fcd-producer': {'0': 1}},
                  'endOffset': {'fcd-producer': {'0': 170}},
                  'numInputRows': 169},
                 {'startOffset': {'fcd-producer': {'1': 1}},
                  'endOffset': {'fcd-producer': {'1': 228}},
                  'numInputRows': 227}]},
    {'timestamp': '2026-11-28T00:09:01.954Z',
     'batchId': 3,
     'batchDuration': 12239,
     'numInputRows': 2474,
     'durationMs': {'addBatch': 9905,
                    'commitOffsets': 10,
                    'getBatch': 1,
                    'latestOffset': 36,
                    'queryPlanning': 2175,
                    'triggerExecution': 12239,
                    'walCommit': 75},
     'eventTime': {'avg': '2026-11-28T00:08:11.680Z',
                   'max': '2026-11-28T00:08:12.285Z',
                   'min': '2026-11-28T00:08:10.894Z',
                   'watermark': '2026-11-28T00:06:31.076Z'},
     'stateOperators': [{'numRowsTotal': 4944,
                         'numRowsUpdated': 4857,
                         'memoryUsedBytes': 6295776,
                         'numRowsDroppedByWatermark': 0}],
     'sources': [{'startOffset': {'fcd-producer': {'0': 170}},
                  'endOffset': {'fcd-producer': {'0': 1200}},
                  'numInputRows': 1030},
                 {'startOffset': {'fcd-producer': {'1': 228}},
                  'endOffset': {'fcd-producer': {'1': 1672}},
                  'numInputRows': 1444}]},
]
# fmt: on


def as_spark_gives(report: dict[str, Any]) -> Any:
    """An entry of `recentProgress`."""
    return SimpleNamespace(json=json.dumps(report))


REPORTS = [as_spark_gives(taken) for taken in _TAKEN]
"""Four checkpoints of two partitions that held 1,377 and 1,672 records."""


def report(batch: int, offsets: dict[int, int] | None = None, *, dropped: int = 0, rows: int = 0) -> Any:
    """The last of them, of another batch, with these offsets judged; its state takes ten bytes a row."""
    made = copy.deepcopy(_TAKEN[-1])
    made["batchId"] = batch
    made["stateOperators"][0] |= {
        "numRowsDroppedByWatermark": dropped, "numRowsTotal": rows, "memoryUsedBytes": 10 * rows,
    }  # fmt: skip
    made["sources"] = [{"endOffset": {TOPIC: {str(number): at}}} for number, at in (offsets or {}).items()]
    return as_spark_gives(made)
