"""Settings of a topic that clicks suffer from: old records deleted by key, and who dates the records. Changes none."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.broker.connection import Connection

__all__ = ["TopicSettings", "settings_of"]

_CLEANUP, _DATED = "cleanup.policy", "message.timestamp.type"
_NAMES = {"cleanup": _CLEANUP, "dated": _DATED}


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """What a topic does with its records.

    Parameters
    ----------
    topic
        Its name.
    cleanup
        `cleanup.policy` as Kafka has it: delete, compact, or both.
    dated
        `message.timestamp.type`: CreateTime, by the sender, or LogAppendTime, by the broker when they arrive.
    bootstrap
        Where it is, for the commands that change it.

    Examples
    --------
    >>> TopicSettings("mine", "compact").loses_clicks
    "mine keeps the latest record of each key only (cleanup.policy=compact), so a session's earlier clicks are deleted"
    >>> TopicSettings("mine").loses_clicks
    ''
    """

    topic: str
    cleanup: str = "delete"
    dated: str = "CreateTime"
    bootstrap: str = Connection().bootstrap

    @property
    def loses_clicks(self) -> str:
        """That clicks are deleted by their key, in words; empty where none are."""
        if "compact" not in self.cleanup:
            return ""
        return (
            f"{self.topic} keeps the latest record of each key only ({_CLEANUP}={self.cleanup}), "
            "so a session's earlier clicks are deleted"
        )

    @property
    def dates_on_arrival(self) -> str:
        """That records are dated when they arrive, in words; empty where the sender dates them."""
        if self.dated != "LogAppendTime":
            return ""
        return (
            f"{self.topic} dates records when they arrive ({_DATED}={self.dated}), so clicks of an old log are too late"
        )

    @property
    def keep_all(self) -> str:
        """The command that has the topic keep each click."""
        return self._how_to_set(f"{_CLEANUP}=delete")

    @property
    def date_by_sender(self) -> str:
        """The command that has the sender date the records."""
        return self._how_to_set(f"{_DATED}=CreateTime")

    def _how_to_set(self, setting: str) -> str:
        of = f"--entity-type topics --entity-name {self.topic}"
        kafka = f"kafka-configs.sh --bootstrap-server {self.bootstrap} --alter {of} --add-config {setting}"
        return f"`{kafka}` (Redpanda: `rpk topic alter-config {self.topic} --set {setting}`)"


def settings_of(connection: Connection, topic: str) -> TopicSettings | None:
    """The settings of a topic; None where this user may not look at them.

    Raises
    ------
    BrokerError
        There is no broker.
    """
    from kafka.admin import ConfigResource

    from workbench.broker.clients import admin_client  # not at the top: who only names a topic needs no clients

    asked = ConfigResource("TOPIC", topic, [_CLEANUP, _DATED])
    with admin_client(connection) as admin:
        found = admin.describe_configs([asked], config_filter="all").get("topic", {}).get(topic, {})
    if not found:
        return None
    values = {name: found[key]["value"] for name, key in _NAMES.items() if key in found}
    return TopicSettings(topic, **values, bootstrap=connection.bootstrap)
