"""What the detector said: verdict records, a feed of them, held against rule and truth. Nothing is drawn or judged."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
