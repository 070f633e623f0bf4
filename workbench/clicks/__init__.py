"""Clicks: the record, files and logs that hold them, made-up traffic, their order. No broker, and nothing is judged."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
