"""What the detector said: verdict records, a live feed of them, and how they compare with rule and truth."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
