"""Topics that are looked at again and again, by one client: their ids, their partitions. Nothing is decided here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from workbench.broker.clients import ClientError, admin_client
from workbench.broker.connection import Connection
from workbench.broker.topics import Layout, layouts
from workbench.errors import BrokerError

__all__ = ["TopicWatch"]


class TopicWatch:
    """Looks at topics, over a connection that is made at the first look. One thread at a time may call.

    Parameters
    ----------
    connection, topics
        Which topics, and where.
    """

    def __init__(self, connection: Connection, topics: Iterable[str]) -> None:
        self._connection, self._names = connection, list(topics)
        self._opened = contextlib.ExitStack()
        self._admin: Any = None

    def look(self) -> dict[str, Layout]:
        """What the topics are made of at this moment; those that do not exist are left out.

        Raises
        ------
        TopicError
            One may not be looked at.
        BrokerError
            There is no broker.
        """
        try:
            if self._admin is None:
                self._admin = self._opened.enter_context(admin_client(self._connection))
            return layouts(self._admin, self._names)
        except ClientError as error:
            self.close()  # the next look makes a new one
            raise BrokerError(f"the topics cannot be looked at: {error!r}. Fix: is the broker up?") from error

    def close(self) -> None:
        """Close the connection. May be called again."""
        self._admin = None
        self._opened.close()
