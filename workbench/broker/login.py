"""What is asked of a broker over an open socket, where clients do not tell: a login, and where it sends clients.

A broker that refuses a login answers and closes at once, and kafka-python then misses the answer: all that it can tell
is that time was over. The requests are those of Kafka's protocol, SaslHandshake (version 1), SaslAuthenticate (version
0) and Metadata (version 1), which every broker since 1.0 takes.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    from workbench.broker.security import Security

__all__ = ["advertised", "refusal"]

_HANDSHAKE, _AUTHENTICATE, _METADATA = (17, 1), (36, 0), (3, 1)
_UNSUPPORTED_MECHANISM, _ILLEGAL_STATE = 33, 34
_LONGEST_ANSWER = 1 << 20


def refusal(talk: socket.socket, host: str, security: Security) -> tuple[str, str] | None:
    """What the broker says against this login, with the fix; None when it lets us in. OSError: it does not answer."""
    from kafka.net.sasl import get_sasl_mechanism

    answer = _ask(talk, _HANDSHAKE, _text(security.mechanism))
    (error,) = struct.unpack_from(">h", answer)
    if error == _UNSUPPORTED_MECHANISM:
        offered = ", ".join(_texts(answer[2:])) or "none"
        return f"it does not take {security.mechanism}, but {offered}", "set WORKBENCH_SASL_MECHANISM to one of these"
    if error == _ILLEGAL_STATE:
        return "it has no logins", f"set WORKBENCH_SECURITY to {'ssl' if security.tls else 'plaintext'}"
    if error:
        return f"it refuses to let users log in (Kafka's error {error})", "see the broker's log"
    way = get_sasl_mechanism(security.mechanism)(host=host, **security.kafka_python())
    while not way.is_done():
        token = way.auth_bytes()
        answer = _ask(talk, _AUTHENTICATE, struct.pack(">i", len(token)) + token)
        error, length = struct.unpack_from(">hh", answer)
        if error:
            return (
                f"it does not let in user {security.username!r} by {security.mechanism}",
                "set WORKBENCH_USERNAME and WORKBENCH_PASSWORD_FILE (or WORKBENCH_PASSWORD) to what the broker knows",
            )
        way.receive(answer[4 + max(0, length) + 4 :])
    return None


def advertised(talk: socket.socket) -> list[tuple[str, int]]:
    """Host and port of each broker, as clients are told them. OSError, ValueError, struct.error: no such answer."""
    answer = _ask(talk, _METADATA, struct.pack(">i", 0))  # of no topic
    (count,), found, at = struct.unpack_from(">i", answer), [], 4
    for _ in range(count):
        (length,) = struct.unpack_from(">h", answer, at + 4)
        host = answer[at + 6 : at + 6 + length].decode()
        at += 6 + length
        port, rack = struct.unpack_from(">ih", answer, at)
        at += 6 + max(0, rack)
        found.append((host, port))
    return found


def _ask(talk: socket.socket, request: tuple[int, int], body: bytes) -> bytes:
    """Send a request and give the body of its answer."""
    message = struct.pack(">hhi", *request, 1) + _text("workbench") + body
    talk.sendall(struct.pack(">i", len(message)) + message)
    (length,) = struct.unpack(">i", _receive(talk, 4))
    if not 6 <= length <= _LONGEST_ANSWER:
        raise OSError("its answer is not that of a Kafka broker")
    return _receive(talk, length)[4:]


def _receive(talk: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = talk.recv(count - len(found))
        if not more:
            raise OSError("it closed the connection")
        found += more
    return found


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def _texts(data: bytes) -> list[str]:
    (count,), texts, at = struct.unpack_from(">i", data), [], 4
    for _ in range(count):
        (length,) = struct.unpack_from(">h", data, at)
        texts.append(data[at + 2 : at + 2 + length].decode())
        at += 2 + length
    return texts
