from .connection import Connection
from .embedded import BrokerStatus, EmbeddedBroker
from .recorded import TopicClicks
from .security import Security
from .sender import Sent, replay, send
from .topics import Topics, connect, ensure_topics, recreate_topics

__all__ = [
    "BrokerStatus",
    "Connection",
    "EmbeddedBroker",
    "Security",
    "Sent",
    "TopicClicks",
    "Topics",
    "connect",
    "ensure_topics",
    "recreate_topics",
    "replay",
    "send",
]
