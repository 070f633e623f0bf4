"""Rules and few, close clicks for property tests of what is made of judged ones."""

from __future__ import annotations

import pandas as pd
from hypothesis import strategies as st

from workbench.rule import Rule

RULES = st.builds(Rule, st.integers(1, 12).map(lambda s: f"{s}s"), st.integers(1, 5))
START = pd.Timestamp("2026-01-02T03:04:05Z")


@st.composite
def clicks(draw: st.DrawFn, most: int = 40) -> pd.DataFrame:
    """A few sessions on two URLs, close together in time, with ties."""
    rows = draw(
        st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["/1", "/2"]), st.integers(0, 60)), max_size=most)
    )
    table = pd.DataFrame(rows, columns=["session_id", "url", "second"]).astype({"session_id": object, "url": object})
    ts = START + pd.to_timedelta(table.pop("second").astype("int64") * 500, unit="ms")
    ids = pd.Series([f"c{i}" for i in range(len(table))], dtype=object)
    return table.assign(click_id=ids, ts=ts.astype("datetime64[us, UTC]"))
