from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polling import until
from verdict_frames import START, verdict_frame

from workbench.charts import figures as charts
from workbench.charts.data import MAX_BINS, iso
from workbench.charts.live import LiveChart
from workbench.charts.sessions import MAX_POINTS
from workbench.charts.style import CONFIG, FLAGGED
from workbench.charts.widget import SharedFigure
from workbench.rule import Rule, clicks_in_window, flag
from workbench.text import label

FIGURES: list[Callable[[pd.DataFrame], go.Figure]] = [
    charts.clicks_per_second,
    charts.session_timeline,
    charts.top_sessions,
    charts.latency,
    charts.overview,
]
HOSTILE = "<b onload=x>$\\frac{1}{2}$ & \u202eeman\x00</b>"


def drawn(figure: go.Figure, name: str) -> Any:
    """The trace with this ``panel:key``."""
    return next(trace for trace in figure.data if trace.meta == name)


def words(figure: go.Figure) -> str:
    return " ".join(note.text for note in figure.layout.annotations)


class Feed:
    """An in-memory feed: what is given to it is what it holds."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.now = frame

    def frame(self) -> pd.DataFrame:
        return self.now


def clock_at(frame: pd.DataFrame) -> Callable[[], float]:
    """A clock that stands just after the newest click."""
    return lambda: frame["ts"].max().timestamp() + 0.1


def test_clicks_per_second_adds_up_to_the_frame_second_by_second() -> None:
    frame = verdict_frame(5_000, rate=700)
    figure = charts.clicks_per_second(frame.sample(frac=1, random_state=1))
    by_second = frame.groupby([frame["ts"].dt.floor("s"), "fraud"]).size().unstack(fill_value=0)
    assert drawn(figure, "rates:good").y.tolist() == by_second[False].tolist()
    assert drawn(figure, "rates:flagged").y.tolist() == by_second[True].tolist()
    share = 100 * by_second[True] / by_second.sum(axis=1)
    assert drawn(figure, "rates:flagged").customdata == pytest.approx(share.tolist())
    assert f"{100 * frame['fraud'].mean():.1f}% flagged" in words(figure)


@pytest.mark.parametrize("draw", FIGURES)
def test_no_trace_stretches_the_time_axis_beyond_the_clicks(draw: Callable[[pd.DataFrame], go.Figure]) -> None:
    frame = verdict_frame(500, rate=10)
    low, high = frame["ts"].min() - pd.Timedelta("1s"), frame["ts"].max() + pd.Timedelta("1s")
    for trace in draw(frame).data:
        if not trace.meta.startswith("top"):
            # A trace with values and without times would be drawn from 1970 on.
            assert trace.x is not None
            assert all(low <= pd.Timestamp(x, tz="UTC") <= high for x in trace.x)
    for trace in draw(frame.iloc[:0]).data:
        assert trace.x is None or len(trace.x) == 0 or trace.meta.startswith("top")


def test_a_second_without_clicks_is_an_empty_bar_and_a_gap_in_the_latency() -> None:
    frame = verdict_frame(10, rate=10)
    late = frame.assign(ts=(frame["ts"] + pd.Timedelta("3s")).astype(frame["ts"].dtype))
    both = pd.concat([frame[frame["ts"] < START + pd.Timedelta("0.9s")], late])
    rates = charts.clicks_per_second(both)
    assert (drawn(rates, "rates:good").y + drawn(rates, "rates:flagged").y)[1:3].tolist() == [0, 0]
    assert np.isnan(drawn(charts.latency(both), "latency:p50").y[1:3]).all()


@pytest.mark.parametrize("share", [50, 99])
def test_latency_is_the_nearest_rank_percentile_of_each_second_without_revised_verdicts(share: int) -> None:
    frame = verdict_frame(4_000, rate=900)
    first = frame[~frame["revised"]]
    expected = first.groupby(first["ts"].dt.floor("s"))["latency_ms"].agg(
        lambda ms: np.percentile(ms, share, method="inverted_cdf")
    )
    assert drawn(charts.latency(frame), f"latency:p{share}").y == pytest.approx(expected.to_numpy())


def test_the_windows_of_clicks_hold_what_the_rule_counts_in_them() -> None:
    ts_us = np.array([0, 3, 9, 11, 22, 24]) * 1_000_000
    rule = Rule("10s", 3)
    figure = charts.click_windows(ts_us, rule)
    windows, inside = figure.data[0::2], figure.data[1::2]
    assert [len(trace.x) for trace in inside] == clicks_in_window(np.zeros(6, int), ts_us, rule).tolist()
    assert [tuple(trace.x) for trace in windows] == [(at - 10, at) for at in (0, 3, 9, 11, 22, 24)]
    assert [trace.marker.color == FLAGGED for trace in inside] == flag(np.zeros(6, int), ts_us, rule).tolist()
    assert figure.layout.yaxis.ticktext[3] == "click at 11 s: 3 in the window"


def test_the_timeline_has_every_click_of_the_flagged_sessions_and_marks_the_flagged_ones() -> None:
    frame = verdict_frame(600, rate=50, bots=0.5)
    flagged = frame.groupby("session_id")["fraud"].sum()
    figure = charts.session_timeline(frame, sessions=1_000)
    shown = frame[frame["session_id"].map(flagged) > 0]
    assert len(drawn(figure, "timeline:flagged").x) == int(shown["fraud"].sum())
    assert len(drawn(figure, "timeline:good").x) == int((~shown["fraud"]).sum())
    rows = dict(zip(figure.layout.yaxis.tickvals, figure.layout.yaxis.ticktext, strict=True))
    first = frame[frame["session_id"] == rows[0]]["ts"].min()
    assert first == shown["ts"].min()
    hover = drawn(figure, "timeline:flagged").hovertext[0]
    assert "https://shop.example/ads/" in hover
    assert "in the window" in hover


def test_top_sessions_are_those_with_the_most_flagged_clicks_the_worst_on_top() -> None:
    frame = verdict_frame(5_000)
    expected = frame[frame["fraud"]].groupby("session_id").size().sort_values(ascending=False)
    bars = drawn(charts.top_sessions(frame, n=5), "top:flagged")
    assert bars.x[::-1].tolist() == expected.head(5).tolist()
    assert f"<b>{expected.index[0]}</b>" in bars.hovertext[-1]


@pytest.mark.parametrize("figure", FIGURES)
def test_an_empty_frame_says_that_the_first_verdict_is_awaited_and_shows_no_axes(figure: Any) -> None:
    empty = figure(verdict_frame(5).iloc[:0])
    assert "Waiting for the first verdict" in words(empty)
    assert empty.layout.xaxis.visible is False
    assert "Waiting" not in words(figure(verdict_frame(500)))


def test_traffic_without_a_flagged_session_says_so() -> None:
    assert "No session flagged so far" in words(charts.session_timeline(verdict_frame(20).assign(fraud=False)))


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("rate", [0.0005, 0.01, 5_000.0])
def test_a_long_frame_draws_a_bounded_number_of_points(figure: Any, rate: float) -> None:
    drawn_points = sum(len(trace.x) for trace in figure(verdict_frame(50_000, rate=rate)).data if trace.x is not None)
    assert drawn_points <= MAX_POINTS + 4 * (MAX_BINS + 2) + 2 * 15 + 6


@pytest.mark.parametrize("figure", FIGURES)
def test_text_from_the_data_reaches_no_label_unescaped(figure: Any) -> None:
    frame = verdict_frame(300)
    frame[["session_id", "url"]] = HOSTILE
    text = figure(frame).to_json()
    for raw in ("<b onload", "$\\\\frac", "\\u202e", "\u202e", "\\u0000"):
        assert raw not in text.replace("\\\\u202e", "")


@given(st.text(max_size=200), st.integers(8, 60))
def test_a_label_is_short_printable_and_free_of_markup(text: str, limit: int) -> None:
    safe = label(text, limit)
    assert safe.isprintable()
    assert not set(safe) & set("<>$")
    plain = safe.replace("&#36;", "$").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    if text.isprintable():
        assert len(plain) == min(len(text), limit)
        assert plain == text or "…" in plain


@pytest.mark.parametrize("renderer", ["plotly_mimetype", "notebook", "browser", "iframe"])
def test_the_upload_button_and_the_logo_are_off_whatever_shows_the_figure(
    renderer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown: list[str] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: shown.append(json.dumps(bundle)))
    monkeypatch.setattr("plotly.io._base_renderers.open_html_in_browser", lambda html, *_: shown.append(html))
    monkeypatch.setattr(pio.renderers, "default", renderer)
    monkeypatch.setattr(pio.renderers, "render_on_display", True)
    monkeypatch.chdir(tmp_path)  # where "iframe" writes
    figure = charts.overview(verdict_frame(100))
    assert "sendChartToCloud" in figure.layout.template.layout.modebar.remove

    def settings(show: Callable[[], object]) -> str:
        """What Plotly.js is given, whichever way, with the quotes of JSON in JSON and of HTML taken out."""
        shown.clear()
        show()
        pages = [path.read_text("utf-8") for path in tmp_path.rglob("*.html")]
        return " ".join(pages + shown).replace("\\", "")

    at_the_end_of_a_cell = settings(figure._ipython_display_)
    assert '"showSendToCloud": false' in at_the_end_of_a_cell
    assert '"displaylogo": false' in at_the_end_of_a_cell
    with_more = settings(lambda: figure.show(config={"scrollZoom": True}))
    assert '"showSendToCloud": false' in with_more
    assert '"scrollZoom": true' in with_more


def test_the_upload_button_and_the_logo_are_off_in_a_widget_and_in_the_bundle_of_a_figure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pio.renderers, "default", "plotly_mimetype")
    figure = charts.overview(verdict_frame(100))
    assert figure._repr_mimebundle_()["application/vnd.plotly.v1+json"]["config"] == CONFIG
    widget = charts.skeleton(SharedFigure("A chart"))
    assert widget.get_state()["_config"] == CONFIG


def test_figures_of_others_keep_the_settings_that_they_have() -> None:
    assert all(not getattr(pio.renderers[name], "config", None) for name in pio.renderers)


def test_the_live_chart_grows_with_its_feed_and_stays_within_its_window() -> None:
    whole = verdict_frame(6_000, rate=100)
    feed = Feed(whole.iloc[:0])
    chart = LiveChart(feed, clock=lambda: START.timestamp() + len(feed.now) / 100)
    counts = []
    for rows in (0, 500, 1_500, 3_000):
        feed.now = whole.iloc[:rows]
        chart.refresh()
        counts.append(chart.points)
    assert counts[0] == 0
    assert counts == sorted(set(counts))
    short = LiveChart(Feed(whole), window_s=5, clock=clock_at(whole))
    short.refresh()
    times = [t for trace in short.figure().data if trace.meta == "timeline:flagged" for t in trace.x]
    assert min(pd.to_datetime(times, utc=True)) > whole["ts"].max() - pd.Timedelta("5s")


def test_a_recording_is_shown_up_to_its_newest_click_however_long_ago_that_was() -> None:
    frame = verdict_frame(500, rate=100)
    chart = LiveChart(Feed(frame), clock=lambda: START.timestamp() + 1e6)
    chart.refresh()
    assert chart.points > 0


def test_traces_are_updated_in_place_and_the_view_is_never_reset() -> None:
    frame = verdict_frame(2_000, rate=100)
    feed = Feed(frame.iloc[:500])
    chart = LiveChart(feed, clock=clock_at(frame))
    chart.refresh()
    uids, revision = [t.uid for t in chart.figure().data], chart.figure().layout.uirevision
    feed.now = frame
    chart.refresh()
    assert [t.uid for t in chart.figure().data] == uids
    assert chart.figure().layout.uirevision == revision
    assert chart.figure().layout.xaxis.range is None


def test_the_updater_runs_in_one_thread_and_stops_once_and_for_all() -> None:
    frame = verdict_frame(500)
    with LiveChart(Feed(frame), hz=4, clock=clock_at(frame)) as chart:
        chart.start()
        assert [t.name for t in threading.enumerate()].count("live-chart") == 1
        until(lambda: chart.points)
    assert not chart.running
    chart.stop()
    assert chart.start().running
    chart.stop()


def test_an_error_of_the_feed_is_kept_shown_and_raised_by_run() -> None:
    class Broken:
        def frame(self) -> pd.DataFrame:
            raise OSError("the broker <went> away")

    chart = LiveChart(Broken(), hz=4)
    with pytest.raises(OSError, match="went"):
        chart.run(30, progress=False)
    assert isinstance(chart.error, OSError)
    assert "the broker &lt;went&gt; away" in words(chart.figure())
    assert not chart.running


def test_an_interrupted_run_stops_the_updater_and_goes_on_as_an_interrupt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = verdict_frame(500)
    chart = LiveChart(Feed(frame), hz=4, clock=clock_at(frame))

    def interrupt(*_: object, **__: object) -> None:
        until(lambda: chart.points)
        raise KeyboardInterrupt

    monkeypatch.setattr("workbench.charts.live.tqdm", interrupt)
    with pytest.raises(KeyboardInterrupt):
        chart.run(600)
    assert not chart.running
    assert chart.points > 0


def test_run_leaves_a_static_figure_with_data_in_place_of_the_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    frame, left = verdict_frame(500, rate=100), []

    class Handle:
        def update(self, what: Any) -> None:
            left.append(what._repr_mimebundle_())

    monkeypatch.setattr("workbench.charts.live.display", lambda *_, **__: Handle())
    LiveChart(Feed(frame), clock=clock_at(frame)).run(0.1, progress=False)
    (bundle,) = left
    figure = bundle["application/vnd.plotly.v1+json"]
    assert figure["config"]["showSendToCloud"] is False
    assert len(figure["data"][0]["x"]) > 0
    json.dumps(json.loads(pio.to_json(go.Figure(figure["data"], figure["layout"]))))


def test_run_counts_its_seconds_from_the_first_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = verdict_frame(500, rate=100)
    asked = 0

    class Slow:
        def frame(self) -> pd.DataFrame:
            nonlocal asked
            asked += 1
            return frame if asked > 3 else frame.head(0)

    monkeypatch.setattr("workbench.charts.live.display", lambda *_, **__: None)
    chart = LiveChart(Slow(), hz=4, clock=clock_at(frame))
    chart.run(0.1, progress=False)
    assert chart.points > 0


def test_a_mark_is_a_line_at_the_moment_it_was_made_with_its_text_escaped() -> None:
    frame = verdict_frame(500, rate=100)
    chart = LiveChart(Feed(frame), clock=clock_at(frame))
    chart.refresh()
    chart.mark("3 in 10s → <4>")
    chart.refresh()
    upper, lower = chart.figure().layout.shapes
    assert upper.x0 == lower.x0 == iso(np.array([round(clock_at(frame)() * 1e6)]))[0]
    assert upper.label.text == "3 in 10s → &lt;4&gt;"


@pytest.mark.parametrize(("hz", "window_s"), [(0.5, 60), (5, 60), (2, 0), (2, float("nan"))])
def test_a_rate_or_window_that_cannot_be_is_refused_with_its_value(hz: float, window_s: float) -> None:
    with pytest.raises(ValueError, match=r"0\.5|5|0|nan"):
        LiveChart(Feed(verdict_frame(1)), hz=hz, window_s=window_s)
