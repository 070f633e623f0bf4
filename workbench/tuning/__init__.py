"""What other windows and thresholds would flag: the surface, its charts, and the board that applies a choice."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
