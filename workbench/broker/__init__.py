"""Kafka: how to reach it, the embedded one, its topics, and sending and reading clicks. Only here clients are built."""
