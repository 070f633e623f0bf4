"""What the runs of `peers` come to: a table in Markdown, and a picture of it beside bench/README.md."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path

import plotly.graph_objects as go
from peer_engines import Engine
from peer_runs import Run, Sizes
from plotly.subplots import make_subplots
from rig import machine, renew_part, take_picture

from workbench.charts.style import FLAGGED, GOOD, INK, MUTED, P50, P99, TEMPLATE

__all__ = ["text_table", "write"]

PICTURE = Path(__file__).resolve().parent / "peers.png"
HEAD = (
    "| engine | version | clicks/s, drain | p50 ms | p99 ms | peak MB | start s | missing / wrong | after a crash |\n"
    "| --- | --- | --: | --: | --: | --: | --: | --: | --- |"
)
Runs = Mapping[str, list[Run]]


def text_table(engines: list[Engine], runs: Runs, failed: Mapping[str, str]) -> str:
    """A line an engine, quickest first: medians, and from lowest to highest where there are several runs."""
    lines = [HEAD]
    for engine in ordered(engines, runs):
        name = f"**{engine.label}**" if engine.package is None else engine.label
        some = runs.get(engine.name)
        if not some:
            lines.append(f"| {name} | {engine.version} | not run: {failed.get(engine.name, '?')} | | | | | | |")
            continue
        figures = [
            spread(some, lambda run: run.clicks_per_s, "{:,.0f}"),
            spread(some, lambda run: run.p50_ms, "{:,.1f}"),
            spread(some, lambda run: run.p99_ms, "{:,.0f}"),
            spread(some, lambda run: run.peak_mb, "{:,.0f}"),
            spread(some, lambda run: run.start_s, "{:.1f}"),
            "–" if engine.name == "pass-through" else exactness(some),
        ]
        lines.append(f"| {' | '.join([name, engine.version, *figures, engine.keeps])} |")
    return "\n".join(lines)


def ordered(engines: list[Engine], runs: Runs) -> list[Engine]:
    return sorted(engines, key=lambda e: -middle(runs[e.name], lambda run: run.clicks_per_s) if runs.get(e.name) else 1)


def middle(some: list[Run], of: Callable[[Run], float]) -> float:
    return statistics.median(map(of, some))


def spread(some: list[Run], of: Callable[[Run], float], form: str) -> str:
    low, high = (form.format(end(map(of, some))) for end in (min, max))
    return form.format(middle(some, of)) + (f" ({low}–{high})" if low != high else "")


def exactness(some: list[Run]) -> str:
    return f"{sum(run.missing for run in some):,} / {sum(run.wrong for run in some):,}"


def write(engines: list[Engine], runs: Runs, failed: Mapping[str, str], sizes: Sizes, seed: int) -> None:
    """Renew the part of bench/README.md between its marks, and the picture."""
    some = next(iter(runs.values()))
    clicks, flagged = sum(run.clicks for run in some), sum(run.flagged for run in some)
    told = (
        f"{machine()}; {max(map(len, runs.values()))} rounds, seed {seed}; in each run "
        f"{sizes.warm_up:,} clicks to warm up, {sizes.backlog:,} drained, then {sizes.rate:,.0f} a second, of which "
        f"{sizes.seconds:.0f} s count. Each engine got {clicks:,} clicks in all, {flagged / clicks:.0%} of them fraud."
    )
    renew_part("peers", f"{told}\n\n{text_table(engines, runs, failed)}")
    _draw([engine for engine in ordered(engines, runs) if runs.get(engine.name)], runs)


def _draw(engines: list[Engine], runs: Runs) -> None:
    figure = make_subplots(1, 3, shared_yaxes=True, horizontal_spacing=0.05)
    labels = [f"<b>{e.label}</b>" if e.package is None else e.label for e in engines]
    colours = [FLAGGED if e.package is None else MUTED if e.name == "pass-through" else GOOD for e in engines]

    def values(of: Callable[[Run], float]) -> list[float]:
        return [middle(runs[engine.name], of) for engine in engines]

    def bars(column: int, of: Callable[[Run], float]) -> None:
        x = values(of)
        text = [f"{value:,.0f}" for value in x]
        bar = go.Bar(x=x, y=labels, orientation="h", marker_color=colours, text=text, textposition="outside")
        figure.add_trace(bar.update(cliponaxis=False, showlegend=False, textfont_color=INK), 1, column)
        figure.update_xaxes(range=[0, 1.3 * max(x)], row=1, col=column)  # room for the figures beside the bars

    bars(1, lambda run: run.clicks_per_s)
    low, high = values(lambda run: run.p50_ms), values(lambda run: run.p99_ms)
    for label, left, right in zip(labels, low, high, strict=True):
        line = go.Scatter(x=[left, right], y=[label, label], mode="lines", line={"color": GOOD, "width": 3})
        figure.add_trace(line.update(showlegend=False), 1, 2)
    for name, x, colour, place in (("p50", low, P50, "middle left"), ("p99", high, P99, "middle right")):
        dots = go.Scatter(x=x, y=labels, name=name, mode="markers+text", text=[f"{value:,.0f}" for value in x])
        figure.add_trace(dots.update(marker={"color": colour, "size": 10}, textposition=place), 1, 2)
    bars(3, lambda run: run.peak_mb)
    figure.update_layout(
        template=TEMPLATE, width=1120, height=110 + 44 * len(engines), bargap=0.35,
        margin={"l": 10, "r": 30, "t": 60, "b": 50},
        legend={"x": 0.5, "xanchor": "center", "y": 1.0, "yanchor": "bottom"},
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False, tickfont={"size": 13, "color": INK})
    figure.update_xaxes(title_text="clicks/s while a backlog drains (more is better)", row=1, col=1)
    figure.update_xaxes(
        title_text="ms from send to verdict, 1,000 clicks/s (less is better)", type="log", dtick=1, row=1, col=2
    )
    figure.update_xaxes(range=[math.log10(min(low) / 3), math.log10(max(high) * 5)], row=1, col=2)
    figure.update_xaxes(title_text="peak memory, MB (less is better)", row=1, col=3)
    take_picture(figure, PICTURE)
