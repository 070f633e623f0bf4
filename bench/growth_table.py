"""What the points of `growth` come to: a table in Markdown, and a picture of it beside bench/README.md.

.venv/bin/python bench/growth_table.py out/growth.csv

draws the picture once more, of what was measured before.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from rig import renew_part, take_picture

from workbench.charts.style import FLAGGED, INK, P50, P99, TEMPLATE

__all__ = ["PARTITIONS", "SESSIONS", "Point", "text_table", "write"]

SESSIONS, PARTITIONS = 10_000, 2
"""What one of the two is while the other grows."""

PICTURE = Path(__file__).resolve().parent / "growth.png"
WIDTH, HEIGHT = 1160, 560
HEAD = (
    "| sessions | partitions | clicks | flagged | verdicts/s | µs a verdict | driver MB | state rows | in memory MB "
    "| on disk MB | checkpoint ms | p50 ms | p99 ms | missing / wrong |\n"
    f"|{' --: |' * 14}"
)


@dataclass(frozen=True)
class Point:
    """What was found with so many sessions and partitions."""

    sessions: int
    partitions: int
    clicks: int
    flagged: int
    per_s: float
    """Verdicts a second while a backlog drains."""
    cpu_us: float
    """Processor time of the driver for each of them, in microseconds."""
    driver_mb: float
    """Resident memory of Spark's JVM at its highest, the state's included."""
    state_rows: int
    """At the first checkpoint after the drain, as are the following three."""
    state_mb: float
    """Memory that RocksDB takes, of the driver's: buffers and caches, which are bounded."""
    disk_mb: float
    """Size of its files."""
    checkpoint_ms: int
    """What the state of a partition took at its end: looking for rows to let go, and the commit."""
    p50_ms: float
    """From sending a click to receiving its verdict, at an even rate."""
    p99_ms: float
    missing: int
    wrong: int


Value = Callable[[Point], float]


def text_table(points: Sequence[Point]) -> str:
    """A line a point."""
    lines = [HEAD]
    for point in points:
        figures = [
            f"{point.sessions:,}",
            f"{point.partitions}",
            f"{point.clicks:,}",
            f"{point.flagged / point.clicks:.0%}",
            f"{point.per_s:,.0f}",
            f"{point.cpu_us:,.0f}",
            f"{point.driver_mb:,.0f}",
            f"{point.state_rows:,}",
            f"{point.state_mb:,.0f}",
            f"{point.disk_mb:,.0f}",
            f"{point.checkpoint_ms:,}",
            f"{point.p50_ms:,.1f}",
            f"{point.p99_ms:,.0f}",
            f"{point.missing:,} / {point.wrong:,}",
        ]
        lines.append(f"| {' | '.join(figures)} |")
    return "\n".join(lines)


def write(points: Sequence[Point], told: str) -> None:
    """Renew the part of bench/README.md between its marks, and the picture."""
    renew_part("growth", f"{told}\n\n{text_table(points)}")
    take_picture(chart(points), PICTURE)


def chart(points: Sequence[Point]) -> go.Figure:
    """By sessions above, by partitions below: throughput, memory, latency. A column has one scale."""
    figure = make_subplots(rows=2, cols=3, horizontal_spacing=0.06, vertical_spacing=0.18)
    rows: list[tuple[str, Value, list[Point]]] = [
        ("sessions, on 2 partitions", lambda p: p.sessions, [p for p in points if p.partitions == PARTITIONS]),
        ("partitions, 10,000 sessions", lambda p: p.partitions, [p for p in points if p.sessions == SESSIONS]),
    ]
    columns: list[tuple[str, list[tuple[str, str, Value]]]] = [
        ("Verdicts/s while a backlog drains", [("", P50, lambda p: p.per_s)]),
        (
            "Memory of the driver, and state on disk (MB)",
            [("driver", P50, lambda p: p.driver_mb), ("state on disk", FLAGGED, lambda p: p.disk_mb)],
        ),
        (
            "Click to verdict (ms), 1,000 clicks/s",
            [("p99", P99, lambda p: p.p99_ms), ("p50", P50, lambda p: p.p50_ms)],
        ),
    ]
    for row, (by, of_x, some) in enumerate(rows, 1):
        some = sorted(some, key=of_x)
        x = [of_x(point) for point in some]
        for column, (title, lines) in enumerate(columns, 1):
            is_log = column == 3
            for name, color, of_y in lines:
                y = [of_y(point) for point in some]
                labels = [f"{value:,.0f}" for value in y]
                is_low = name == "p50"
                if name:  # where the line ends: no legend to look up
                    labels[-1] = "<br>".join([labels[-1], f"<b>{name}</b>"][:: 1 if is_low else -1])
                figure.add_scatter(
                    x=x,
                    y=y,
                    mode="lines+markers+text",
                    line={"color": color, "width": 2},
                    marker={"size": 7},
                    text=labels,
                    textposition="bottom center" if is_low else "top center",
                    textfont={"size": 11, "color": color},
                    cliponaxis=False,
                    row=row,
                    col=column,
                )
            top = max(of_y(point) for point in points for _, _, of_y in lines)
            scale = (
                {"type": "log", "dtick": 1, "range": [0, math.log10(4 * top)]} if is_log else {"range": [0, 1.25 * top]}
            )
            figure.update_yaxes(**scale, row=row, col=column)
            margin = 0.08 * math.log10(x[-1] / x[0])
            figure.update_xaxes(
                type="log",
                range=[math.log10(x[0]) - margin, math.log10(x[-1]) + margin],
                tickvals=x,
                ticktext=[f"{value:,}" for value in x],
                title_text=by,
                showgrid=False,
                row=row,
                col=column,
            )
            if row == 1:
                at = "" if column == 1 else str(column)
                figure.add_annotation(
                    text=title, x=0, xref=f"x{at} domain", y=1, yref=f"y{at} domain", yshift=24, xanchor="left",
                    showarrow=False, font={"size": 13, "color": INK},
                )  # fmt: skip
    figure.update_layout(
        template=TEMPLATE, width=WIDTH, height=HEIGHT, showlegend=False, margin={"l": 50, "r": 36, "t": 48, "b": 48}
    )
    return figure


if __name__ == "__main__":
    measured = pd.read_csv(sys.argv[1])
    take_picture(chart([Point(*row) for row in measured.itertuples(index=False, name=None)]), PICTURE)
