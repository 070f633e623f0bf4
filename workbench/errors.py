"""The exception tree of the workbench. Nothing else lives here.

    WorkbenchError
    ├── RuleError             a window, a threshold or a duration that cannot be (also a ValueError)
    ├── ClickError            a record, a file or a data frame that cannot be read as clicks (also a ValueError)
    ├── TrafficError          a mix, a rate or a speed that no traffic can have (also a ValueError)
    ├── VerdictError          a record that cannot be read as a verdict (also a ValueError)
    ├── SetupError            something on this machine is missing or altered
    │   ├── JavaNotFound
    │   └── JarMismatch
    ├── BrokerError           a broker that does not answer, start or accept
    │   └── TopicError        a topic that is missing, or is not as it must be
    ├── DetectorError         the running query failed, or cannot be started
    │   ├── CheckpointMismatch
    │   ├── LostClicks        the topic deleted clicks before they were judged
    │   └── NotCaughtUp       a wait that ran out of time (also a TimeoutError)
    └── ReportError           a notebook failed, or its parameters are wrong

Every message says what was got, what was expected and what to do, in one line: the command prints it as it is.
"""

from __future__ import annotations

__all__ = [
    "BrokerError",
    "CheckpointMismatch",
    "ClickError",
    "DetectorError",
    "JarMismatch",
    "JavaNotFound",
    "LostClicks",
    "NotCaughtUp",
    "ReportError",
    "RuleError",
    "SetupError",
    "TopicError",
    "TrafficError",
    "VerdictError",
    "WorkbenchError",
]


class WorkbenchError(Exception):
    """Whatever the workbench raises on purpose."""


class RuleError(WorkbenchError, ValueError):
    """A window, a threshold or a duration that cannot be."""


class ClickError(WorkbenchError, ValueError):
    """A record, a file or a data frame that cannot be read as clicks.

    fix: options to write that would mend it, as ``--tz UTC``; "" where that is more than options.
    """

    def __init__(self, text: str, fix: str = "") -> None:
        super().__init__(text)
        self.fix = fix


class TrafficError(WorkbenchError, ValueError):
    """A mix, a rate or a speed that no traffic can have."""


class VerdictError(WorkbenchError, ValueError):
    """A record that cannot be read as a verdict."""


class SetupError(WorkbenchError):
    """Something on this machine is missing or altered."""


class JavaNotFound(SetupError):
    """No Java of a supported version was found."""


class JarMismatch(SetupError):
    """A jar is not, byte for byte, the one in the lock."""


class BrokerError(WorkbenchError):
    """A broker does not answer, start or accept."""


class TopicError(BrokerError):
    """A topic is missing, or is not as it must be."""


class DetectorError(WorkbenchError):
    """The running query failed, or cannot be started."""


class CheckpointMismatch(DetectorError):
    """A checkpoint was made for another rule, topic or partition count."""


class LostClicks(DetectorError):
    """The topic deleted clicks before they were judged."""


class NotCaughtUp(DetectorError, TimeoutError):
    """The detector was still behind when the time to wait was over."""


class ReportError(WorkbenchError):
    """A notebook failed, or its parameters are wrong."""
