"""What kafka-python writes to the log while a login is in use: nothing that could hold it. Settings are in `security`.

At DEBUG the library logs each request, and the bytes that it sends; with SASL PLAIN the password is among them. So of
its records only these are let through: text that stands in the library's own source, numbers, and objects of classes
whose text was read. Everything else is told by its kind: whatever a later version comes to log is left out, too.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final

__all__ = ["SAFE_CLASSES", "keep_logins_out_of_the_log"]

SAFE_CLASSES: Final = frozenset(
    {
        "kafka.cluster.ClusterMetadata",
        "kafka.net.connection.KafkaConnection",
        "kafka.net.transport.KafkaSSLTransport",
        "kafka.net.transport.KafkaTCPTransport",
    }
)
"""Classes whose text is addresses, counts and states."""

_LIBRARY: Final = "kafka"
_LEFT_OUT: Final = "(text left out: it could hold a login)"

_Error = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def keep_logins_out_of_the_log() -> None:
    """Redact what the loggers of kafka-python say from now on, in this process. May be called again.

    It is done where records are made: a filter of a logger does not see what the loggers below it say, and a handler's
    sees it after others have. Records of other loggers are passed on as they are.
    """
    factory = logging.getLogRecordFactory()
    if not isinstance(factory, _Redacting):
        logging.setLogRecordFactory(_Redacting(factory))


class _Redacting:
    """Makes log records by the factory that was there before; those of kafka-python without what could be a login."""

    def __init__(self, factory: Callable[..., logging.LogRecord]) -> None:
        self._factory = factory

    def __call__(
        self,
        name: str | None,
        level: int,
        pathname: str,
        lineno: int,
        msg: object,
        args: Any,
        exc_info: _Error | None,
        func: str | None = None,
        sinfo: str | None = None,
        **more: Any,
    ) -> logging.LogRecord:
        # Whoever makes records calls this: by the names that `LogRecord` has, or, as `makeLogRecord` does, without one.
        if name is None or (name != _LIBRARY and not name.startswith(f"{_LIBRARY}.")):
            return self._factory(name, level, pathname, lineno, msg, args, exc_info, func, sinfo, **more)
        if _is_in_the_source(msg, pathname, lineno):
            args = tuple(map(_redacted, args)) if isinstance(args, tuple) else _redacted(args)
        else:
            msg, args = _LEFT_OUT, ()
        record = self._factory(name, level, pathname, lineno, msg, args, None, func, None, **more)
        if exc_info and exc_info[0] is not None:  # not its text, nor its frames: they hold the variables
            record.exc_text = f"<{exc_info[0].__name__}>"
        return record


def _is_in_the_source(message: object, path: str, line: int) -> bool:
    """Whether the one who logs has this text as a constant: it was not put together of others."""
    frame = inspect.currentframe()
    while frame is not None and (frame.f_code.co_filename, frame.f_lineno) != (path, line):
        frame = frame.f_back
    return frame is not None and type(message) is str and message in frame.f_code.co_consts


class _Fields(dict[Any, object]):
    """Values for `%(name)s`; as a whole it is told by its kind."""

    def __repr__(self) -> str:
        return "<dict>"


def _redacted(argument: object) -> object:
    kind = type(argument)
    if argument is None or kind in (bool, int, float):
        return argument
    if isinstance(argument, int | float):  # named numbers, for `%d`
        return int(argument) if isinstance(argument, int) else float(argument)
    if isinstance(argument, Mapping):
        return _Fields({name: _redacted(value) for name, value in argument.items()})
    if isinstance(argument, bytes | bytearray | memoryview):
        return f"<{len(argument)} bytes>"
    return argument if f"{kind.__module__}.{kind.__qualname__}" in SAFE_CLASSES else f"<{kind.__name__}>"
