"""The tuning charts show what the surface says, bounded and escaped, and the board turns them all at once."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
import pytest

from workbench.clicks.order import ClickOrder, order
from workbench.clicks.traffic import Traffic
from workbench.errors import DetectorError, RuleError
from workbench.rule import Rule
from workbench.tuning import figures
from workbench.tuning.board import TuningBoard
from workbench.tuning.grid import read_windows
from workbench.tuning.style import METRICS
from workbench.tuning.surface import Surface, changes, surface

START = datetime(2026, 1, 2, tzinfo=UTC)
WINDOWS, THRESHOLDS = read_windows("1s..60s"), range(2, 9)
NOW, CHOSEN = Rule(), Rule("40s", 4)
HOSTILE = "<b onload=x>$\\frac{1}{2}$ & \u202eeman\x00</b>"


@pytest.fixture(scope="module")
def clicks() -> ClickOrder:
    return order(Traffic(rate=100, duration="120s", seed=4).clicks(START))


@pytest.fixture(scope="module")
def found(clicks: ClickOrder) -> Surface:
    return surface(clicks, WINDOWS, THRESHOLDS)


def drawn(figure: go.Figure, name: str) -> Any:
    """The trace with this ``panel:key``."""
    return next(trace for trace in figure.data if trace.meta == name)


def words(figure: go.Figure) -> str:
    return " ".join(note.text for note in figure.layout.annotations)


@pytest.mark.parametrize("metric", METRICS)
def test_a_heat_map_has_every_rule_and_marks_the_chosen_and_the_current_one(found: Surface, metric: str) -> None:
    figure = figures.heat_map(found, CHOSEN, metric, NOW)
    cells = drawn(figure, "heat:cells")
    np.testing.assert_array_equal(cells.z, getattr(found, metric).T)
    assert len(set(cells.x)) == len(found.windows)
    assert (drawn(figure, "heat:chosen").x, drawn(figure, "heat:chosen").y) == (("40s",), ("4",))
    assert (drawn(figure, "heat:current").x, drawn(figure, "heat:current").y) == (("10s",), ("3",))
    assert "4-in-40s" in words(figure)
    assert f"{found.at(CHOSEN).flagged_clicks:,} clicks" in cells.hovertext[2][found.windows.index(CHOSEN.window)]


def test_the_curves_go_through_precision_and_recall_of_each_rule(found: Surface) -> None:
    figure = figures.tradeoff(found, CHOSEN, NOW)
    line = drawn(figure, "tradeoff:line")
    column = found.thresholds.index(4)
    assert list(line.x[:-1]) == found.recall[:, column].tolist()
    assert list(line.y[:-1]) == found.precision[:, column].tolist()
    assert drawn(figure, "tradeoff:chosen").x[0] == found.at(CHOSEN).recall
    others = drawn(figure, "tradeoff:others").x
    assert others.count(None) == len(THRESHOLDS) - 1


def test_what_lies_left_of_the_window_in_the_gaps_is_what_the_rule_flags(clicks: ClickOrder, found: Surface) -> None:
    for chosen in (Rule("10s", 3), Rule("1s", 2)):  # both windows are edges of bins
        figure = figures.gap_distribution(clicks, chosen)
        left, fraud = 0.0, 0.0
        for kind in ("good", "fraud"):
            trace = drawn(figure, f"gaps:{kind}")
            part = trace.y[:-1][trace.x[:-1] < chosen.window.total_seconds() * 0.999].sum()
            left, fraud = left + part, part
        told = found.at(chosen)
        assert left == told.flagged_clicks
        assert fraud / left == told.precision
        assert drawn(figure, "gaps:window").x[0] == chosen.window.total_seconds()


def test_gained_and_lost_sessions_are_both_shown_the_largest_first(clicks: ClickOrder) -> None:
    changed = changes(clicks, NOW, CHOSEN)
    figure = figures.changed_sessions(changed, sessions=6)
    gained, lost = drawn(figure, "changes:gained"), drawn(figure, "changes:lost")
    by = {name: part["flagged"].tolist() for name, part in changed.groupby("change")}
    assert gained.x[::-1].tolist() == by["gained"][:3]
    assert lost.x[::-1].tolist() == by["lost"][:3]
    assert min(gained.y) > max(lost.y)
    assert f"{len(by['gained']):,} gained, {len(by['lost']):,} lost" in words(figure)
    assert "Both rules flag the same" in words(figures.changed_sessions(changes(clicks, NOW, NOW)))


def test_clicks_that_are_not_sorted_yet_give_the_same_charts(found: Surface) -> None:
    frame = Traffic(rate=20, duration="60s", seed=4).clicks(START)
    changed = changes(frame, NOW, CHOSEN)
    gaps = [figures.gap_distribution(clicks, CHOSEN) for clicks in (frame, order(frame))]
    overviews = [figures.overview(found, clicks, changed, CHOSEN, NOW) for clicks in (frame, order(frame))]
    for one, other in (gaps, overviews):
        assert one.to_json() == other.to_json()


def test_without_labels_the_charts_are_of_sensitivity_and_say_so(clicks: ClickOrder) -> None:
    bare = order(clicks.frame.drop(columns="label"))
    found = surface(bare, WINDOWS, THRESHOLDS)
    figure = figures.overview(found, bare, changes(bare, NOW, CHOSEN), CHOSEN, NOW)
    assert "no labels" in words(figure)
    assert "Sensitivity" in words(figure)
    assert "Precision" not in words(figure)
    assert drawn(figure, "gaps:fraud").visible is False
    line = drawn(figure, "tradeoff:line")
    assert list(line.y[:-1]) == found.flagged_share[:, 2].tolist()
    with pytest.raises(RuleError, match="f1 takes labelled clicks"):
        figures.heat_map(found, CHOSEN, "f1")
    with pytest.raises(RuleError, match="no metric 'f2'"):
        figures.heat_map(found, CHOSEN, "f2")


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_clicks_are_drawn_without_a_fault(clicks: ClickOrder, rows: int) -> None:
    few = order(clicks.frame.head(rows))
    found = surface(few, WINDOWS, THRESHOLDS)
    figure = figures.overview(found, few, changes(few, NOW, CHOSEN), CHOSEN, NOW)
    json.loads(pio.to_json(figure))


def test_a_large_grid_of_many_clicks_is_drawn_with_a_bounded_number_of_points() -> None:
    clicks = order(Traffic(rate=500, duration="120s", seed=4).clicks(START))
    found = surface(clicks, [f"{n}s" for n in range(1, 101)], range(1, 101))
    figure = figures.overview(found, clicks, changes(clicks, NOW, CHOSEN), CHOSEN, NOW)
    points = sum(len(trace.x) for trace in figure.data if trace.x is not None)
    assert points < 100 * 15 + 2 * 200 + 100


def test_text_from_the_data_reaches_no_label_unescaped(clicks: ClickOrder) -> None:
    frame = clicks.frame.copy()
    frame[["session_id", "url"]] = HOSTILE
    figure = figures.changed_sessions(changes(frame, Rule("1s", 1000), NOW))
    text = figure.to_json()
    for raw in ("<b onload", "$\\\\frac", "\\u202e", "\u202e", "\\u0000"):
        assert raw not in text.replace("\\\\u202e", "")


class Detector:
    """A detector in memory: what is applied to it is its rule."""

    def __init__(self) -> None:
        self.rule, self.state = NOW, "running"
        self.error: Exception | None = None
        self.go_on = threading.Event()

    def apply(self, rule: Rule) -> None:
        assert self.go_on.wait(20)
        if self.error:
            raise self.error
        self.rule = rule


@pytest.fixture
def handle() -> Detector:
    return Detector()


def board_of(clicks: ClickOrder, handle: Detector | None = None, rule: Rule | None = CHOSEN) -> TuningBoard:
    return TuningBoard(clicks, WINDOWS, THRESHOLDS, rule=rule, handle=handle)


def test_every_control_moves_all_charts(clicks: ClickOrder, found: Surface) -> None:
    board = board_of(clicks)
    board.controls.window.value = Rule("18s").window
    board.controls.threshold.value = 5
    assert board.rule == Rule("18s", 5)
    board.choose(Rule("6s", 3))
    assert (board.controls.window.value, board.controls.threshold.value) == (Rule("6s").window, 3)
    figure = board.figure()
    assert drawn(figure, "heat:chosen").x == ("6s",)
    assert drawn(figure, "tradeoff:chosen").x[0] == found.at(board.rule).recall
    assert drawn(figure, "gaps:window").x[0] == 6
    assert f"{len(board.changes[board.changes['change'] == 'lost']):,} lost" in words(figure)
    for rule in (board.rule, board.current):
        assert f">{found.at(rule).flagged_clicks:,d}</td>" in board.controls.numbers.value
    board.controls.metric.value = "cost"
    np.testing.assert_array_equal(drawn(board.figure(), "heat:cells").z, found.cost.T)
    with pytest.raises(RuleError, match="not on the grid"):
        board.choose(Rule("11s", 3))


def test_a_click_on_a_cell_chooses_its_rule(clicks: ClickOrder) -> None:
    class Points:
        point_inds = [[1, 4]]  # row, column  # noqa: RUF012

    board = board_of(clicks)
    board.cell_clicked(None, Points, None)
    assert board.rule == Rule(WINDOWS[4], THRESHOLDS[1])


def test_the_best_rule_is_chosen_at_first_and_the_current_one_where_nothing_is_known(clicks: ClickOrder) -> None:
    assert board_of(clicks, rule=None).rule == surface(clicks, WINDOWS, THRESHOLDS).best()
    bare = order(clicks.frame.drop(columns="label"))
    board = board_of(bare, rule=None)
    assert board.rule == board.current == NOW
    assert "no labels" in board.controls.numbers.value


def test_rules_off_the_grid_are_added_to_it(clicks: ClickOrder) -> None:
    board = TuningBoard(clicks, ["1s"], [2], rule=Rule("11s", 9), current=Rule("13s", 7))
    board.choose(Rule("13s", 2))
    assert len(board.surface.windows) == len(board.surface.thresholds) == 3


def test_apply_says_when_the_new_rule_judges_and_the_charts_compare_with_it(
    clicks: ClickOrder, handle: Detector
) -> None:
    board = board_of(clicks, handle)
    assert not board.controls.apply.disabled
    board.controls.apply.click()
    assert board.controls.apply.disabled
    assert "Applying 4-in-40s" in board.status
    board.choose(Rule("6s", 3))  # the board stays alive meanwhile
    assert "Applying 4-in-40s" in board.status
    handle.go_on.set()
    board.wait(20)
    assert handle.rule == board.current == CHOSEN
    assert "<b>4-in-40s</b> judges now; that took " in board.status
    assert drawn(board.figure(), "heat:current").x == ("40s",)
    assert not board.controls.apply.disabled
    board.choose(CHOSEN)
    assert board.controls.apply.disabled
    assert "is the rule that judges now" in board.status


@pytest.mark.parametrize("error", [DetectorError("no <room>"), OSError("no <room>")])
def test_a_rule_that_cannot_be_applied_leaves_the_board_as_it_was_and_says_why(
    clicks: ClickOrder, handle: Detector, error: Exception
) -> None:
    board = board_of(clicks, handle)
    handle.error = error
    handle.go_on.set()
    board.apply()
    board.wait(20)
    assert "Not applied:" in board.status
    assert "no &lt;room&gt;" in board.status
    assert board.current == NOW
    assert not board.controls.apply.disabled


def test_without_a_running_detector_the_button_is_off_and_says_what_to_do(clicks: ClickOrder, handle: Detector) -> None:
    board = board_of(clicks)
    assert board.controls.apply.disabled
    assert "start a detector" in board.status
    handle.state = "failed"
    board = board_of(clicks, handle)
    assert board.controls.apply.disabled
    assert "The detector is failed" in board.status
    handle.state = "running"
    board.choose(Rule("6s", 3))
    assert not board.controls.apply.disabled
    handle.state = "stopped"
    board.apply()
    assert board.controls.apply.disabled
    assert "stopped" in board.status


def test_the_board_shows_itself_as_a_widget_with_a_static_figure_beside_it(
    clicks: ClickOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("workbench.tuning.board.display", lambda bundle, raw: shown.append(bundle))
    board_of(clicks)._ipython_display_()
    (bundle,) = shown
    assert "application/vnd.jupyter.widget-view+json" in bundle
    figure = bundle["application/vnd.plotly.v1+json"]
    assert figure["config"]["showSendToCloud"] is False
    assert len(figure["data"]) > 10
    assert len(bundle["text/plain"]) < 100


def test_a_frame_is_taken_as_well_as_sorted_clicks() -> None:
    frame = pd.DataFrame(Traffic(rate=50, duration="5s", seed=4).clicks(START))
    assert TuningBoard(frame, ["2s"], [2]).surface.clicks == 250


def test_a_board_says_first_that_visitors_are_not_told_apart_and_which_labels_there_are() -> None:
    ts = pd.Series(pd.date_range("2026-01-02", periods=60, freq="1s", tz="UTC")).dt.as_unit("us")
    clicks = pd.DataFrame({"click_id": [f"c{i}" for i in range(60)], "url": "/ad", "ts": ts, "label": "bat"})
    found = surface(clicks.assign(session_id="10.0.0.5"), ["10s"], [3])
    assert repr(found).startswith("warning: one session has 100% of the clicks")
    said = TuningBoard(clicks.assign(session_id="<b>10.0.0.5"), ["10s"], [3]).controls.numbers.value
    assert said.index("one session has 100%") < said.index("there are bat (60)") < said.index("<table")
    assert "<b>10" not in said
