"""Spark: the session in this process, a cluster to run on, a start that is faster. Queries are where they are used."""
