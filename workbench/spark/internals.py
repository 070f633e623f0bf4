"""What pyspark keeps to itself and the workbench needs, under names of its own. Nothing is decided here.

No other module touches a private attribute of pyspark. A test names each of them, and fails where pyspark has another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess

    from pyspark import SparkContext
    from pyspark.sql import SparkSession

__all__ = ["cause", "context", "forget_jvm", "gateway", "java_context", "jvm_process", "session"]


def gateway() -> Any:
    """The connection to the JVM that pyspark started in this process; None without one."""
    from pyspark import SparkContext

    return SparkContext._gateway


def jvm_process() -> subprocess.Popen[bytes] | None:
    """The process of that JVM, which may have ended; None where pyspark started none."""
    process: subprocess.Popen[bytes] | None = getattr(gateway(), "proc", None)
    return process


def context() -> SparkContext | None:
    """The Spark context of this process, whoever made it."""
    from pyspark import SparkContext

    return SparkContext._active_spark_context


def session() -> SparkSession | None:
    """The first session of that context."""
    from pyspark.sql import SparkSession

    return SparkSession._instantiatedSession


def forget_jvm() -> None:
    """Take away pyspark's references to a JVM that is gone, so that the next session starts its own."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    SparkContext._gateway = None
    SparkContext._jvm = None
    SparkContext._active_spark_context = None
    SparkSession._instantiatedSession = None
    SparkSession._activeSession = None


def java_context(context: SparkContext) -> Any:
    """Spark's own context, which knows of executors and task slots what pyspark does not tell."""
    return context._jsc.sc()


def cause(error: BaseException | None) -> BaseException | None:
    """What made an error of Spark's happen; None where that is not known, or the error is not Spark's."""
    from pyspark.errors.exceptions.captured import CapturedException

    return error._cause if isinstance(error, CapturedException) else None
