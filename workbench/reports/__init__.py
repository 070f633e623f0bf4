"""Reports to hand on: what was found, the evidence, the page that a notebook becomes. The texts are the notebook's."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
