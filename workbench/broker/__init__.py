"""Kafka: how to reach it, the embedded one, its topics, and sending and reading clicks. Only here clients are built."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
