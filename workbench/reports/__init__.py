"""Reports to hand on: what was found, the evidence for it, and the page that a notebook becomes."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
