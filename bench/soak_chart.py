"""The chart of a soak: from the CSV of `soak.py` to a page and a picture. Nothing is measured here.

.venv/bin/python bench/soak_chart.py out/soak.csv docs/soak.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from rig import page_of, take_picture

from workbench.charts.style import FLAGGED, GOOD, INK, MUTED, P50, P99, TEMPLATE

__all__ = ["draw", "slopes"]

WARM_UP_MINUTES = 5
WIDTH, HEIGHT = 1160, 640


def slopes(measured: Path) -> dict[str, float]:
    """How much each memory grows in a minute (MB), and the state (rows): by least squares after the warm-up.

    Of less than three minutes after it there is none.
    """
    rows = pd.read_csv(measured)
    warm = rows[rows["minute"] > WARM_UP_MINUTES]
    if len(warm) < 3:
        return {}
    names = {
        "driver_mb": "driver, resident, MB",
        "heap_mb": "driver, heap, MB",
        "python_mb": "Python, resident, MB",
        "checkpoint_mb": "checkpoint, MB",
        "state_rows": "state, rows",
    }
    return {name: float(np.polyfit(warm["minute"], warm[column], 1)[0]) for column, name in names.items()}


def draw(measured: Path, picture: Path) -> None:
    """Write the picture (PNG), and beside the CSV a page (HTML) that opens offline."""
    figure = chart(measured)
    measured.with_suffix(".html").write_text(page_of(figure), "utf-8")
    take_picture(figure, picture)


def chart(measured: Path) -> go.Figure:
    """Memory, latency, state and checkpoint by the minute."""
    rows, per_minute = pd.read_csv(measured), slopes(measured)
    figure = make_subplots(rows=2, cols=2, horizontal_spacing=0.09, vertical_spacing=0.17)

    def line(name: str, column: str, row: int, col: int, color: str, unit: str, label: str) -> None:
        figure.add_scatter(
            x=rows["minute"],
            y=rows[column],
            name=name,
            mode="lines+markers",
            line={"color": color, "width": 2, "dash": "dot" if name == "p99" else "solid"},
            marker={"size": 4},
            hovertemplate=f"{name}: %{{y:,.4~g}} {unit}<br>minute %{{x}}<extra></extra>",
            row=row,
            col=col,
        )
        if label == "none":
            return
        # Named where it ends: no legend to look up.
        figure.add_annotation(
            x=1.0,
            xref=f"x{'' if (row, col) == (1, 1) else 2 * (row - 1) + col} domain",
            y=np.log10(rows[column].iloc[-1]) if (row, col) == (1, 2) else rows[column].iloc[-1],
            yref=f"y{'' if (row, col) == (1, 1) else 2 * (row - 1) + col}",
            text=name,
            font={"size": 11, "color": color},
            showarrow=False,
            xanchor="right",
            yanchor="bottom" if label == "above" else "top",
            yshift=5 if label == "above" else -5,
        )

    line("driver, resident", "driver_mb", 1, 1, P50, "MB", "above")
    line("driver, heap at its least", "heap_mb", 1, 1, FLAGGED, "MB", "below")
    line("Python, resident", "python_mb", 1, 1, P99, "MB", "above")
    line("p50", "p50_ms", 1, 2, P50, "ms", "above")
    line("p99", "p99_ms", 1, 2, P99, "ms", "above")
    line("rows of state", "state_rows", 2, 1, P50, "rows", "none")
    line("checkpoint folder", "checkpoint_mb", 2, 2, P50, "MB", "none")
    memory = "Memory (MB)"
    if per_minute:
        driver, python = per_minute["driver, resident, MB"], per_minute["Python, resident, MB"]
        memory += f": after {WARM_UP_MINUTES} minutes {driver:+.1f} a minute in the driver, {python:+.1f} in Python"
    titles = (memory, "Click to verdict (ms), checkpoints included", "State (rows)", "Checkpoint folder (MB)")
    for number, title in enumerate(titles):
        row, col = number // 2 + 1, number % 2 + 1
        at = f"{'' if number == 0 else number + 1} domain"
        figure.add_annotation(
            text=title, x=0, xref=f"x{at}", y=1, yref=f"y{at}", yshift=22, xanchor="left", showarrow=False,
            font={"size": 13, "color": INK},
        )  # fmt: skip
        figure.update_yaxes(rangemode="tozero", row=row, col=col)
        figure.update_xaxes(title_text="minute" if row == 2 else "", showgrid=False, row=row, col=col)
    figure.update_xaxes(range=[0.5, len(rows) + 0.5], nticks=min(len(rows) + 1, 12))
    figure.update_yaxes(range=[0, 1.15 * rows["driver_mb"].max()], row=1, col=1)
    figure.update_yaxes(type="log", dtick=1, range=[0, 4], row=1, col=2)
    heading = f"{len(rows)} minutes at {rows['clicks'].median() / 60:,.0f} clicks a second"
    figure.update_layout(
        template=TEMPLATE,
        width=WIDTH,
        height=HEIGHT,
        showlegend=False,
        margin={"l": 60, "r": 24, "t": 92, "b": 48},
        title={"text": heading, "x": 0.015, "y": 0.965, "font": {"size": 17, "color": INK}},
    )
    figure.update_xaxes(tickfont_color=MUTED, linecolor=GOOD)
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
