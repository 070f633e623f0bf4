"""What Spark's workers count of sorted clicks that come in batches is what the rule says of all clicks at once."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.clicks.gaps import SCHEMA, tally_batches
from workbench.rule import Rule, judge

START = pd.Timestamp("2026-01-02T03:04:05Z")
WINDOWS_US, THRESHOLDS = [1_000_000, 2_000_000, 5_000_000], [1, 2, 3, 4]
CLICKS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.integers(0, 16), st.booleans()), max_size=40
)


def sorted_clicks(drawn: list[tuple[str, str, int, bool]]) -> pd.DataFrame:
    """Clicks half a second apart or at the same moment, in the order in which Spark hands them to its workers."""
    table = pd.DataFrame(drawn, columns=["session_id", "url", "half_s", "fraud"])
    table["us"] = table["half_s"].astype("int64") * 500_000
    return table.sort_values(["session_id", "url", "us"], kind="stable", ignore_index=True)


@settings(deadline=None)
@given(CLICKS, st.integers(1, 7))
def test_batches_of_any_size_are_counted_as_the_rule_judges(drawn: list[tuple[str, str, int, bool]], size: int) -> None:
    table = sorted_clicks(drawn)
    # One row a microsecond: how many clicks there are at it, and how many of them are fraud.
    rows = table.assign(clicks=1, fraud=table["fraud"].astype("int64"))
    rows = rows.groupby(["session_id", "url", "us"], as_index=False)[["clicks", "fraud"]].sum()
    batches = pa.RecordBatch.from_pandas(rows, preserve_index=False)
    parts = [batches.slice(begin, size) for begin in range(0, len(rows), size)] + [batches.slice(0, 0)]
    (found,) = tally_batches(parts, WINDOWS_US, THRESHOLDS)
    counted = found.to_pandas().set_index("place")
    assert list(found.schema.names) == [column.split()[0] for column in SCHEMA.split(", ")]
    assert counted.loc[-1].tolist() == [len(table), table["fraud"].sum(), table["session_id"].nunique()]
    if table.empty:
        return
    clicks = table.assign(
        ts=(START + pd.to_timedelta(table["us"], unit="us")).astype("datetime64[us, UTC]"),
        click_id=[f"c{n}" for n in range(len(table))],
    )
    truth = dict(zip(clicks["click_id"], clicks["fraud"], strict=True))
    pairs = [(window, threshold) for window in WINDOWS_US for threshold in THRESHOLDS]
    for place, (window, threshold) in enumerate(pairs):
        judged = judge(clicks.drop(columns="fraud"), Rule(timedelta(microseconds=window), threshold))
        flagged = judged[judged["fraud"]]
        hits = sum(bool(truth[click]) for click in flagged["click_id"])
        assert counted.loc[place].tolist() == [len(flagged), hits, flagged["session_id"].nunique()]
