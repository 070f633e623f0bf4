"""Spark: the session in this process, a cluster to run on, and a start that is faster."""
