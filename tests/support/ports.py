"""Ports for what the tests start. No tests here."""

from __future__ import annotations

import contextlib
import os
import socket

_FIRST, _LAST = 20_000, 29_000  # below those that the system gives to whoever connects or asks for any port
_tried = 0


def free_port() -> int:
    """A port on loopback that is free, and the next one is too; both stay so until their owner comes, or comes back.

    Each is given once in a run; runs side by side begin at different ones.
    """
    global _tried
    while True:
        port = _FIRST + 2 * (53 * os.getpid() + _tried) % (_LAST - _FIRST)
        _tried += 1
        with contextlib.suppress(OSError), socket.socket() as one, socket.socket() as next_one:
            one.bind(("127.0.0.1", port))
            next_one.bind(("127.0.0.1", port + 1))
            return port
