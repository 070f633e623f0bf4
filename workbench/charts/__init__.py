"""Verdicts as Plotly figures, moving while they come or standing still. Charts of tuning are with `tuning`."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
