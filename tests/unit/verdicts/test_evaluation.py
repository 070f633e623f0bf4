from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from verdict_frames import verdict_frame

from workbench.clicks.traffic import LABELS, Traffic
from workbench.clicks.visitors import BOT_LABELS
from workbench.errors import ClickError, RuleError, VerdictError
from workbench.rule import Rule, judge
from workbench.verdicts.evaluation import evaluate, latency

ONE = st.tuples(st.sampled_from(LABELS), st.sampled_from([True, False, None]))


def frames(cases: list[tuple[str, bool | None]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Clicks with labels, and the verdicts of those that have one."""
    clicks = pd.DataFrame({"click_id": [f"c{n}" for n in range(len(cases))], "label": [label for label, _ in cases]})
    given = [(f"c{n}", fraud) for n, (_, fraud) in enumerate(cases) if fraud is not None]
    verdicts = pd.DataFrame(given, columns=["click_id", "fraud"]).astype({"click_id": object, "fraud": bool})
    return clicks.astype(object), verdicts


@given(st.lists(ONE, max_size=60))
def test_every_figure_equals_a_count_by_hand(cases: list[tuple[str, bool | None]]) -> None:
    clicks, verdicts = frames(cases)
    found = evaluate(clicks, verdicts.sample(frac=1, random_state=1))
    hits = sum(fraud is True and label in BOT_LABELS for label, fraud in cases)
    flagged = sum(fraud is True for _, fraud in cases)
    bots = sum(label in BOT_LABELS for label, _ in cases)
    assert (found.clicks, found.flagged) == (len(cases), flagged)
    assert found.missing == sum(fraud is None for _, fraud in cases)
    assert found.precision == (hits / flagged if flagged else None)
    assert found.recall == (hits / bots if bots else None)
    for kind, row in found.by_kind.iterrows():
        of_kind = [fraud for label, fraud in cases if label == kind]
        assert (row["clicks"], row["flagged"]) == (len(of_kind), sum(fraud is True for fraud in of_kind))
        assert row["bot"] == (kind in BOT_LABELS)
    assert found.recall_by_kind == {
        kind: pytest.approx(row["share"]) for kind, row in found.by_kind.iterrows() if kind in BOT_LABELS
    }
    json.dumps([found.precision, found.recall, found.recall_by_kind], allow_nan=False)


def test_a_click_said_twice_counts_once_and_yes_wins() -> None:
    clicks = pd.DataFrame({"click_id": ["a", "a", "b"], "label": ["burst_bot", "burst_bot", "person"]})
    verdicts = pd.DataFrame({"click_id": ["a", "a", "b"], "fraud": [True, False, False]})
    found = evaluate(clicks, verdicts)
    assert (found.clicks, found.flagged, found.precision, found.recall) == (2, 1, 1.0, 1.0)


def test_verdicts_of_clicks_without_a_label_count_nowhere() -> None:
    clicks, verdicts = frames([("burst_bot", True)])
    others = pd.DataFrame({"click_id": ["x", "y"], "fraud": [True, False]})
    assert evaluate(clicks, pd.concat([verdicts, others])).flagged == 1


def test_the_rule_finds_burst_bots_and_cannot_see_those_that_stay_under_it() -> None:
    clicks = Traffic(rate=200, duration="60s", seed=7).clicks(datetime(2026, 1, 2, tzinfo=UTC))
    found = evaluate(clicks, judge(clicks, Rule("10s", 3)))
    assert found.missing == 0
    assert found.recall_by_kind["burst_bot"] > 0.7
    assert found.recall_by_kind["drip_bot"] == found.recall_by_kind["rotating_bot"] == 0
    assert list(found.by_kind["clicks"]) == sorted(found.by_kind["clicks"], reverse=True)


def test_latency_is_the_percentile_of_what_comes_after_the_skipped_time_and_was_not_revised() -> None:
    verdicts = verdict_frame(5_000, rate=200)
    begin = verdicts["ts"].min()
    kept = verdicts[(verdicts["ts"] >= begin + pd.Timedelta("10s")) & ~verdicts["revised"]]
    found = latency(verdicts.sample(frac=1, random_state=3), skip="10s")
    assert found.clicks == len(kept) < len(verdicts) - 1_500
    assert found.p50_ms == pytest.approx(np.percentile(kept["latency_ms"], 50, method="inverted_cdf"), abs=0.051)
    assert found.p99_ms == pytest.approx(np.percentile(kept["latency_ms"], 99, method="inverted_cdf"), abs=0.051)


@pytest.mark.parametrize("verdicts", [verdict_frame(0), verdict_frame(100, rate=100)])
def test_latency_of_nothing_is_none_and_fits_into_json(verdicts: pd.DataFrame) -> None:
    found = latency(verdicts, skip="10s")
    assert asdict(found) == {"clicks": 0, "p50_ms": None, "p99_ms": None}


def test_what_cannot_be_evaluated_is_refused_by_name() -> None:
    clicks, verdicts = frames([("person", False), ("burst_bot", True)])
    with pytest.raises(ClickError, match=r"clicks lack the column 'label': got \['click_id'\]"):
        evaluate(clicks[["click_id"]], verdicts)
    with pytest.raises(VerdictError, match="verdicts lack the column 'fraud'"):
        evaluate(clicks, verdicts[["click_id"]])
    with pytest.raises(ClickError, match="empty cells in the column 'label'"):
        evaluate(clicks.assign(label=pd.Series([None, "person"], dtype=object)), verdicts)
    with pytest.raises(VerdictError, match="verdicts lack the column 'ts'"):
        latency(verdicts)
    with pytest.raises(RuleError, match="not a duration: '10'"):
        latency(verdict_frame(5), skip="10")
