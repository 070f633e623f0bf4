"""The clicks topic as a stream of rows: what can be judged, and what cannot, with the reason. No rule is applied."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from workbench.clicks.record import TICK_KEY, TICK_VALUE, TS_PATTERN
from workbench.detector.foreign import ForeignRecords
from workbench.text import LONGEST_TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping as MappingOf

    from pyspark.sql import Column, DataFrame, SparkSession

    from workbench.broker.topics import Connection
    from workbench.clicks.mapping import Mapping
    from workbench.detector.settings import Tolerance

__all__ = ["LONGEST_QUOTE", "NO_OUTCOME", "ClickSource", "Sorting", "WireRecords"]

_IDS = ("click_id", "session_id", "url")
LONGEST_QUOTE = 65_536
"""Characters of a rejected record that its dead letter carries: well under what a broker takes as one record."""

NO_OUTCOME = ("tick", "tombstone")
"""Why a record is neither judged nor a dead letter: it only moves the watermark. A tombstone has no value."""

_MICROS = timedelta(microseconds=1)
_SKEW = timedelta(seconds=60)  # how far the clocks that date records may be ahead of the one here
# What from_json gives as text though it was none in the record: numbers, booleans, objects, arrays.
_MAYBE_NOT_TEXT = r"^(-?[0-9][0-9.eE+-]*|true|false|[{\[].*)$"
# Half of a surrogate pair, as an escape: from_json makes a question mark of it. Before it are backslashes in pairs.
_HALF_A_PAIR = (
    r"(?<!\\)(?:\\\\)*(?:\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F])"
)


class ClickSource:
    """Reads the clicks topic, from wherever asked: one row a record, valid or not, with a watermark for each partition.

    Columns: session_id, url (both empty unless valid), ts (event time), click: struct(click_id, us, partition, offset,
    rejected: struct(reason, detail, value) or null). The reasons of `NO_OUTCOME` mark what only moves the watermark.

    Each partition is a source with a watermark of its own, and the query goes by the slowest. With one source for the
    topic, a partition that is read ahead of another pushes the common watermark past the other's clicks, and Spark
    drops them in silence.
    """

    def __init__(
        self,
        spark: SparkSession,
        connection: Connection,
        topic: str,
        tolerance: Tolerance,
        mapping: Mapping | None = None,
    ) -> None:
        self._delay = f"{tolerance.late_us + tolerance.ahead_us + _SKEW // _MICROS} microseconds"
        self._spark, self._connection, self._topic = spark, connection, topic
        self._sorted_out = Sorting(tolerance, WireRecords() if mapping is None else ForeignRecords(mapping, topic))

    def read(self, starting_offsets: MappingOf[int, int]) -> DataFrame:
        """The rows of each partition from its offset on."""
        partitions = [
            self._sorted_out(self._partition(number, offset)).withWatermark("ts", self._delay)
            for number, offset in sorted(starting_offsets.items())
        ]
        return reduce(lambda left, right: left.union(right), partitions)

    def _partition(self, number: int, offset: int) -> DataFrame:
        return (
            self._spark.readStream.format("kafka")
            .options(**self._connection.spark())
            .option("assign", json.dumps({self._topic: [number]}))
            .option("kafka.isolation.level", "read_committed")
            .option("startingOffsets", json.dumps({self._topic: {str(number): offset}}))
            .load()
        )


class WireRecords:
    """Parses clicks as the workbench writes them, and says which records are none.

    Gives the columns key, value, partition, offset, received; click_id, session_id, url, event_time. By these
    `is_none` tells a record that is no click, and `reason` (one of `reasons`) and `detail` say why.
    """

    reasons = ("malformed",)

    def __init__(self) -> None:
        schema = ", ".join(f"{name} string" for name in (*_IDS, "ts"))
        text = F.col("value").cast("string")
        received = F.col("timestamp").alias("received")
        fields = F.from_json(text, schema, {"allowSingleQuotes": "false"}).alias("c")
        record = ("key", "value", "partition", "offset")
        self._parsed = (*record, received, fields)
        self._fields = (*record, "received", "c.*")
        self._event_time = _event_time("ts")
        wrong = {name: ~_is_text(name, text) for name in _IDS} | {"ts": F.col("event_time").isNull()}
        is_one = _is_one_value(text)
        self.is_none, self.reason = (
            reduce(lambda left, right: left | right, wrong.values()) | ~is_one,
            F.lit("malformed"),
        )
        self.detail = _what_is_wrong(wrong, is_one)

    def __call__(self, raw: DataFrame) -> DataFrame:
        """The rows of the source, parsed."""
        return raw.select(*self._parsed).select(*self._fields).withColumn("event_time", self._event_time)


class Sorting:
    """Sorts out which of the records of the Kafka source cannot be judged, with the reason.

    To build the expressions takes a thousand calls to the JVM, half a second in a busy one: they are built once.
    """

    def __init__(self, tolerance: Tolerance, records: WireRecords | ForeignRecords) -> None:
        self._records = records
        text = F.col("value").cast("string")
        behind_us = F.unix_micros("received") - F.unix_micros("event_time")
        now = _clock()
        horizon = F.timestamp_micros(F.unix_micros(now) + tolerance.ahead_us + _SKEW // _MICROS)
        tick = (F.col("key") == F.lit(TICK_KEY)) & (F.col("value") == F.lit(TICK_VALUE))
        early = (behind_us < -tolerance.ahead_us) | (F.col("event_time") > horizon)
        self._reason = (
            F.when(F.col("value").isNull(), "tombstone")
            .when(F.coalesce(tick, F.lit(False)), "tick")
            .when(records.is_none, records.reason)
            .when(behind_us > tolerance.late_us, "too_late")
            .when(early, "in_the_future")
        )
        seconds = F.format_number(F.abs(behind_us) / 1_000_000, 3)
        late, ahead = (f"ts is {where} the record's Kafka timestamp by s: " for where in ("before", "off"))
        detail = (
            F.when(F.col("reason").isin(*records.reasons), records.detail)
            .when(F.col("reason") == "too_late", F.concat(F.lit(late), seconds))
            .when(F.col("reason") == "in_the_future", F.concat(F.lit(ahead), seconds))
        )
        quoted = F.when(F.is_valid_utf8(text), text).otherwise(F.concat(F.lit("base64:"), F.base64("value")))
        valid = F.col("reason").isNull()
        # A record that cannot be judged must not move the watermark further than the clock.
        stand_in = F.when(F.col("received") > horizon, now).otherwise(F.col("received"))
        ts = F.when(valid, F.col("event_time")).otherwise(stand_in)
        rejected = F.struct("reason", detail.alias("detail"), F.left(quoted, F.lit(LONGEST_QUOTE)).alias("value"))
        click = F.struct(
            "click_id",
            F.unix_micros(ts).alias("us"),
            "partition",
            "offset",
            F.when(~valid, rejected).alias("rejected"),
        )
        self._row = (
            F.when(valid, F.col("session_id")).otherwise("").alias("session_id"),
            F.when(valid, F.col("url")).otherwise("").alias("url"),
            ts.alias("ts"),
            click.alias("click"),
        )

    def __call__(self, raw: DataFrame) -> DataFrame:
        """Rows as `ClickSource` describes them."""
        return self._records(raw).withColumn("reason", self._reason).select(*self._row)


def _clock() -> Column:
    """The time at which a row is read.

    current_timestamp() would be the time of the last checkpoint, and a number in the text of the generated code: that
    is then another text after each checkpoint, to be compiled anew and run cold.
    """
    millis = F.java_method(F.lit("java.lang.System"), F.lit("currentTimeMillis"))
    return F.timestamp_millis(millis.cast("bigint"))


def _event_time(name: str) -> Column:
    """The text of an RFC 3339 time as a timestamp, or null."""
    return F.when(F.col(name).rlike(f"^{TS_PATTERN}$"), F.upper(name).try_cast("timestamp"))


def _is_text(name: str, record: Column) -> Column:
    """Whether a field is text of a length we keep. What from_json made text of, though it was none, is looked up."""
    field = F.col(name)
    kind = F.schema_of_variant(F.try_variant_get(F.try_parse_json(record), f"$.{name}", "variant"))
    is_text = F.when(field.rlike(_MAYBE_NOT_TEXT), F.coalesce(kind == "STRING", F.lit(False))).otherwise(True)
    is_whole = F.when(field.contains("?") & record.contains("\\u"), ~record.rlike(_HALF_A_PAIR)).otherwise(True)
    return F.coalesce(F.length(field).between(1, LONGEST_TEXT) & is_text & is_whole, F.lit(False))


def _is_one_value(record: Column) -> Column:
    """Whether a record is UTF-8 and nothing comes after its JSON object.

    from_json replaces bytes that are no UTF-8, and takes the first of several values. Most records end with their first
    brace: to see that is cheap, and such a record has nothing behind its object.
    """
    ends_with_its_first_brace = record == F.concat(F.substring_index(record, "}", 1), F.lit("}"))
    alone = F.json_array_length(F.concat(F.lit("["), record, F.lit(",0]"))) == 2
    is_alone = F.when(ends_with_its_first_brace, True).otherwise(F.coalesce(alone, F.lit(False)))
    return F.coalesce(F.is_valid_utf8(record) & is_alone, F.lit(False))


def _what_is_wrong(wrong: MappingOf[str, Column], is_one: Column) -> Column:
    expected = dict.fromkeys(_IDS, f"text of 1 to {LONGEST_TEXT} characters")
    expected["ts"] = "an RFC 3339 time with an offset"
    nothing = reduce(lambda left, right: left & right, (F.col(name).isNull() for name in (*_IDS, "ts")))
    each = (F.when(is_wrong, f"{name} must be {expected[name]}") for name, is_wrong in wrong.items())
    said = F.when(nothing, "not a JSON object with a click in it").when(~is_one, "not one JSON object in UTF-8")
    return said.otherwise(F.concat_ws("; ", *each))
