"""A login in kafka-python's log: whatever is not known to be free of one is left out, whoever says it, and how."""

from __future__ import annotations

import enum
import importlib
import logging
from collections.abc import Callable, Iterator

import pytest

from workbench.broker.redaction import SAFE_CLASSES, keep_logins_out_of_the_log
from workbench.broker.security import Secret, Security

PASSWORD = "canary-7Qf"


@pytest.fixture(autouse=True)
def _with_a_login(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """As after a client with a login was made; the factory that was there before comes back."""
    before = logging.getLogRecordFactory()
    Security("sasl_plaintext", "PLAIN", "ann", Secret(PASSWORD)).kafka_python()
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "kafka")
    yield
    logging.setLogRecordFactory(before)


@pytest.fixture(params=["kafka", "kafka.net.connection", "kafka.not.there.today"])
def log(request: pytest.FixtureRequest) -> logging.Logger:
    """A logger of the library, or one that a later version may have."""
    return logging.getLogger(request.param)


class NewRequest:
    """A request of a later version: its text holds what it sends."""

    def __repr__(self) -> str:
        return f"NewRequest(password={PASSWORD!r})"


class Level(enum.IntEnum):
    HIGH = 3


def failing() -> None:
    raise RuntimeError(f"refused: {PASSWORD}") from ValueError(PASSWORD)


HOLD_IT: dict[str, object] = {
    "an unknown class": NewRequest(),
    "text": f"ann:{PASSWORD}",
    "bytes": PASSWORD.encode(),
    "changeable bytes": bytearray(PASSWORD.encode()),
    "a view of bytes": memoryview(PASSWORD.encode()),
    "a list": [1, [PASSWORD]],
    "a tuple": (PASSWORD,),
    "a set": {PASSWORD},
    "a mapping": {"a": {"b": PASSWORD}},
    "a mapping by its keys": {PASSWORD: 1},
    "an error": ValueError(PASSWORD),
    "a function": lambda: PASSWORD,
}


@pytest.mark.parametrize("what", HOLD_IT)
def test_what_could_hold_a_login_is_told_by_its_kind(
    what: str, log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    value = HOLD_IT[what]
    log.debug("Sending %s to %r of %d", value, value, 7)
    [record] = caplog.records
    assert PASSWORD not in caplog.text + repr(vars(record))
    assert record.getMessage().startswith("Sending <")
    assert record.getMessage().endswith(" of 7")


def test_named_arguments_are_redacted_one_by_one(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    log.debug("%(user)s waits %(seconds)d s", {"user": PASSWORD, "seconds": 3})
    log.debug("configuration: %s", {"password": PASSWORD, "port": 9092})
    assert [record.getMessage() for record in caplog.records] == ["<str> waits 3 s", "configuration: <dict>"]
    assert PASSWORD not in caplog.text


def put_together(log: logging.Logger, password: str) -> None:
    log.debug(f"Sending {password}")


def joined(log: logging.Logger, password: str) -> None:
    log.debug("Sending " + password)


def formatted(log: logging.Logger, password: str) -> None:
    log.debug("Sending %s" % password)  # noqa: UP031


def handed_on(log: logging.Logger, password: str) -> None:
    log.log(5, password, 1)
    log.warning(password)


def not_text(log: logging.Logger, _: str) -> None:
    log.error(ValueError(PASSWORD))


@pytest.mark.parametrize("say", [put_together, joined, formatted, handed_on, not_text])
def test_a_message_that_is_no_constant_of_its_source_is_left_out(
    say: Callable[[logging.Logger, str], None], log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    say(log, PASSWORD)
    [record] = caplog.records
    assert record.getMessage() == "(text left out: it could hold a login)"
    assert PASSWORD not in caplog.text + repr(vars(record))


def test_of_an_error_only_its_class_is_told(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    try:
        failing()
    except RuntimeError:
        log.exception("Request %d failed", 4, stack_info=True)
    [record] = caplog.records
    assert record.exc_info is None  # its frames hold the variables
    assert caplog.text.rstrip().endswith("Request 4 failed\n<RuntimeError>")
    assert PASSWORD not in caplog.text + repr(vars(record))


def test_numbers_and_text_of_the_source_stay(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    log.info("Closing 100%")
    log.info("%s %d of %.1f s: %s, %s", None, 3, 0.25, True, Level.HIGH)
    log.info("level %d", Level.HIGH)
    assert [record.getMessage() for record in caplog.records] == ["Closing 100%", "None 3 of 0.2 s: True, 3", "level 3"]


@pytest.mark.parametrize("name", ["kafkaesque", "workbench.broker", "root"])
def test_other_loggers_are_left_alone(name: str, caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger(name)
    log.warning("%s: %s", name, "a value")
    assert caplog.records[-1].getMessage() == f"{name}: a value"


def test_records_that_are_made_anew_or_by_name_are_made_as_before() -> None:
    sent = {"name": "another", "msg": "%s came over a socket", "args": ("a record",)}
    assert logging.makeLogRecord(sent).getMessage() == "a record came over a socket"
    place = {"pathname": __file__, "lineno": 1}
    record = logging.getLogRecordFactory()(
        name="another", level=20, msg="by %s", args=("name",), exc_info=None, func="f", sinfo=None, **place
    )
    assert (record.getMessage(), record.funcName) == ("by name", "f")


def test_no_handler_sees_more_than_another(log: logging.Logger) -> None:
    seen: list[logging.LogRecord] = []

    class Nearest(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    handler = Nearest()
    log.addHandler(handler)
    try:
        log.warning("Sending %s", NewRequest())
    finally:
        log.removeHandler(handler)
    assert [record.getMessage() for record in seen] == ["Sending <NewRequest>"]


def test_it_is_done_once_and_again_where_another_took_its_place(
    log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    ours = logging.getLogRecordFactory()
    keep_logins_out_of_the_log()
    assert logging.getLogRecordFactory() is ours
    logging.setLogRecordFactory(logging.LogRecord)
    keep_logins_out_of_the_log()
    log.warning("Sending %s", NewRequest())
    assert caplog.records[-1].getMessage() == "Sending <NewRequest>"


@pytest.mark.parametrize("name", sorted(SAFE_CLASSES))
def test_each_class_that_is_let_through_is_one_of_the_library(name: str) -> None:
    module, _, of = name.rpartition(".")
    assert isinstance(getattr(importlib.import_module(module), of), type), f"kafka-python has no {name} any more"
