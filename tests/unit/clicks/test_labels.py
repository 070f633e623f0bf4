"""Labels as other people write them: booleans, 0 and 1, words; what they mean is told, and none vanishes."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from workbench.clicks.labels import FRAUD_LABELS, labels
from workbench.errors import ClickError
from workbench.rule import Rule, judge
from workbench.tuning.surface import surface
from workbench.verdicts.evaluation import evaluate

START = pd.Timestamp("2026-01-02T03:04:05Z")


def clicks(values: list[Any], **kind: Any) -> pd.DataFrame:
    """A click a second of one session on one ad, labelled so."""
    ts = pd.Series(pd.date_range(START, periods=len(values), freq="1s")).dt.as_unit("us")
    ids = [f"c{i}" for i in range(len(values))]
    return pd.DataFrame(
        {"click_id": ids, "session_id": "s", "url": "/ad", "ts": ts, "label": pd.Series(values, **kind)}
    )


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([False, False, True, True], {}),
        ([0, 0, 1, 1], {}),
        ([0.0, 0.0, 1.0, 1.0], {}),
        ([False, False, True, True], {"dtype": "boolean"}),
        ([0, 0, 1, 1], {"dtype": "Int64"}),
        (["0", "0", "1", "1"], {}),
        (["False", "FALSE", "True", " true"], {}),
        (["no", "no", "yes", "Yes"], {}),
        (["human", "person", "bot", "Fraud"], {"dtype": "category"}),
        (["person", "double_click", "burst_bot", "drip_bot"], {}),
    ],
)
def test_labels_are_labels_however_they_are_written(values: list[Any], kind: dict[str, Any]) -> None:
    table = clicks(values, **kind)
    found = surface(table, ["10s"], [3])
    assert (found.fraud, found.at(Rule()).precision, found.at(Rule()).recall) == (2, 1.0, 1.0)
    quality = evaluate(table, judge(table, Rule()))
    assert (quality.precision, quality.recall, quality.lack) == (1.0, 1.0, "")
    found_one_by_one = labels(table).of_each
    assert found_one_by_one is not None
    assert found_one_by_one.tolist() == [False, False, True, True]


def test_it_is_told_which_labels_there_are_and_which_mean_fraud() -> None:
    table = clicks(["human", "bat", "human", "cat"])
    said = "no label means fraud: there are human (2), bat (1), cat (1)"
    assert labels(table).lack == evaluate(table, judge(table, Rule())).lack == said
    with pytest.raises(ClickError, match=r"human \(2\), bat \(1\), cat \(1\).* Fix: .* --fraud-labels"):
        surface(table, ["10s"], [3]).best()
    assert str(labels(table, ["BAT"])) == (
        "1 of 4 clicks are labelled as fraud; labels: human (2), bat (1, fraud), cat (1)"
    )
    assert surface(table, ["10s"], [3], bots=["BAT"]).labels.fraud == ("bat",)


def test_many_labels_are_told_in_one_line_and_steer_no_terminal() -> None:
    said = labels(clicks([f"\x1b[2J{i}" * 100 for i in range(20)])).lack
    assert said.endswith(" and 12 more")
    assert said.isprintable()
    assert len(said) < 800


def test_some_clicks_without_a_label_are_refused_with_the_way_out() -> None:
    table = clicks(["bot", None, "human", ""])
    with pytest.raises(ClickError, match=r"2 of 4 clicks have no label. Fix: .* --fraud-labels ''"):
        labels(table)
    assert not labels(table, []).counts
    assert not surface(table, ["10s"], [3], bots=[]).labelled


@pytest.mark.parametrize("values", [[None, None], ["", " "], [float("nan")] * 2])
def test_labels_that_are_empty_throughout_are_none(values: list[Any]) -> None:
    assert labels(clicks(values)).lack == "the clicks have no labels"
    assert labels(clicks(values).drop(columns="label")).lack == "the clicks have no labels"


def test_the_usual_words_beside_the_kinds_of_bots_mean_fraud() -> None:
    assert {"burst_bot", "drip_bot", "rotating_bot", "1", "true", "fraud", "bot", "invalid"} <= {*FRAUD_LABELS}
    assert {"0", "false", "no", "person", "human", "good", "double_click"}.isdisjoint(FRAUD_LABELS)
