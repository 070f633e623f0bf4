from .connection import Connection
from .embedded import BrokerStatus, EmbeddedBroker
from .recorded import TopicClicks, read_topic
from .security import Security
from .sender import Sending, Sent, replay, send
from .topics import Topics, connect, ensure_topics, recreate_topics

__all__ = [
    "BrokerStatus",
    "Connection",
    "EmbeddedBroker",
    "Security",
    "Sending",
    "Sent",
    "TopicClicks",
    "Topics",
    "connect",
    "ensure_topics",
    "read_topic",
    "recreate_topics",
    "replay",
    "send",
]
