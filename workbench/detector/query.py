"""The rule as one Spark streaming query: from rows of clicks to rows for the Kafka sink. It is not started here.

How one aggregation is exact under any disorder, with bounded state
-------------------------------------------------------------------
Clicks are grouped by session, URL and time: group k spans two windows, and each click falls into two groups::

    group k    |--- before ---|--- after ----|
    group k+1                 |--- before ---|--- after ----|
                                      ^ click t

A group is named by the `end` of its second half. The one in whose second half a click lies holds all of
(t − window, t]: its verdict is read there. Of the first half only the latest `cap` clicks are kept, of the second half
the earliest `cap`. Each half is one window long, hence: if t is past the cap-th earliest of its half, the window
already holds `cap` clicks; if t − window is before the cap-th latest of the half before, likewise; otherwise each click
that matters was kept. With cap ≥ threshold the verdict is exact, and the state of a session and URL is bounded whatever
a bot does.

In real-time mode the aggregation emits one updated row for each click that arrives. `last(click)` is that click. Its
row yields one verdict for every kept later click which this arrival brings to exactly `threshold`, the revised ones,
and then its own.

When a rule takes over from another (`hand_over`), the clicks judged before it are read once more. They count, so that
windows are warm, but they have their verdicts: they yield none of their own, and are kept with a mark that shields
them from being revised.

Records that cannot be judged travel through the same query, under a key of their own, to the dead-letter topic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from workbench.detector.source import NO_OUTCOME
from workbench.rule import Rule
from workbench.verdicts.headers import HAND_OVER, REVISED_BY, SOURCE

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from workbench.broker.topics import Topics
    from workbench.detector.hand_over import HandOver

__all__ = ["OBSERVED", "SPARE", "outcomes"]

SPARE = 13
"""Clicks kept of each half beyond `threshold`: room for copies of redelivered ones, which are told apart later. After a
hand-over also for clicks that were judged before: a copy of one that is not kept would be judged again."""

OBSERVED = "records"
"""What Spark's reports name the count of tombstones by: records without a value, which have no outcome."""

_KEPT = "array<struct<us:bigint,click_id:string>>"


def outcomes(clicks: DataFrame, rule: Rule, topics: Topics, hand_over: HandOver | None = None) -> DataFrame:
    """Judge clicks as `ClickSource` gives them: rows for the Kafka sink, each a verdict or a dead letter.

    hand_over: how the rule took over from another one; None where it is the first.

    Columns: topic, key (session_id), value (JSON), headers: `source` is the partition:offset of the click whose outcome
    it is; a revised verdict has `revised_by` instead, the click that tipped it. `hand_over` is the number of that.

    A click's own verdict is the last thing written of it, and all of it goes through one task to one partition: where
    the verdict is, there is also what the click revised. A hand-over relies on that.
    """
    cap = rule.threshold + SPARE
    width = rule.window_us
    none = F.array().cast(_KEPT)
    middle = F.unix_micros("end") - width
    us = F.col("click.us")
    kept = F.struct(us.alias("us"), F.col("click.click_id").alias("click_id"))
    judged = _is_judged(hand_over)
    to_keep = kept if hand_over is None else kept.withField("judged", judged)
    is_before = us < middle
    # Of its group's first half: mostly there is nothing of the second one yet, and nothing more to be done.
    may_tip = F.col("earliest").isNotNull() & (F.size("latest") + F.size("earliest") >= rule.threshold)
    end_us = us - F.pmod(us, F.lit(width)) + width
    halves = (
        # Doubled after the shuffle, not by it: a sliding window() would send twice as many rows, and their aggregation
        # buffers. The metadata is what withWatermark noted on ts; without it no state would ever be let go.
        clicks.where(_counts(hand_over))
        .observe(OBSERVED, F.count_if((F.col("click.rejected.reason") == "tombstone") & ~judged).alias("tombstones"))
        .repartition("session_id", "url")
        .withColumn("end_us", F.explode(F.array(end_us, end_us + width)))
        .withColumn("end", F.timestamp_micros("end_us").alias("end", metadata=clicks.schema["ts"].metadata))
        .groupBy("session_id", "url", "end")
        .agg(
            F.last("click").alias("click"),
            F.max_by(F.when(is_before, to_keep), F.when(is_before, us), cap).alias("latest"),
            F.min_by(F.when(~is_before, to_keep), F.when(~is_before, us), cap).alias("earliest"),
        )
        .where(~is_before | may_tip)
        .withColumns({"before": _distinct("latest", hand_over), "after": _distinct("earliest", hand_over)})
        .withColumn("own", ~is_before & ~judged)
    )
    if hand_over is not None:  # a click judged before yields nothing, unless it tips one that was not
        halves = halves.where(~judged | F.exists("earliest", lambda x: ~x.judged))
    # The clicks of the second half that have a verdict of the rule before.
    shielded = none if hand_over is None else _without_mark(F.filter("earliest", lambda x: x.judged))

    def count_at(t: Column) -> Column:
        """Clicks in (t − window, t]."""
        earlier = F.size(F.filter("before", lambda x: x.us > t - width))
        return earlier + F.size(F.filter("after", lambda x: x.us <= t))

    def is_tipped(x: Column) -> Column:
        reached = (x.us >= us) & (x.us < us + width) & (x.click_id != kept.click_id)
        tipped = reached & (count_at(x.us) == rule.threshold)
        return tipped if hand_over is None else tipped & ~F.array_contains(shielded, x)

    enough = F.size("before") + F.size("after") >= rule.threshold  # else nothing can be tipped, and most end here
    tipped = F.when(enough & F.col("click.rejected").isNull(), F.filter("after", is_tipped)).otherwise(none)
    crowded_out = _crowded_out(rule, cap)
    if hand_over is not None:
        crowded_out = F.when(F.array_contains(shielded, F.col("t")), "judged_before").otherwise(crowded_out)
    rows = (
        halves.withColumn("t", F.explode(F.concat(tipped, F.when(F.col("own"), F.array(kept)).otherwise(none))))
        .withColumn("n", count_at(F.col("t.us")))
        .withColumn("reason", F.coalesce("click.rejected.reason", crowded_out))
        .where(~F.coalesce(F.col("reason"), F.lit("")).isin(*NO_OUTCOME))
    )
    is_verdict = F.col("reason").isNull()
    return rows.select(
        F.when(is_verdict, topics.verdicts).otherwise(F.lit(topics.dead_letters)).alias("topic"),
        F.col("session_id").alias("key"),
        F.when(is_verdict, _verdict(rule)).otherwise(_dead_letter(topics, cap)).alias("value"),
        _headers(hand_over).alias("headers"),
    )


def _distinct(name: str, hand_over: HandOver | None) -> Column:
    """The kept clicks of a half without redelivered ones. Of an empty half Spark makes null, which has no size."""
    clicks = F.col(name) if hand_over is None else _without_mark(F.col(name))
    return F.coalesce(F.array_distinct(clicks), F.array().cast(_KEPT))


def _without_mark(clicks: Column) -> Column:
    return F.transform(clicks, lambda x: F.struct(x.us.alias("us"), x.click_id.alias("click_id")))


def _counts(hand_over: HandOver | None) -> Column:
    """Whether a click has to do with this rule: it is to be judged, or may count for one that is."""
    if hand_over is None:
        return F.lit(True)
    return ~_is_judged(hand_over) | (F.col("click.us") >= hand_over.counts_from_us)


def _is_judged(hand_over: HandOver | None) -> Column:
    """Whether the click was judged before this rule took over."""
    if hand_over is None:
        return F.lit(False)
    done = hand_over.judged
    each = []
    for partition, upto in sorted(done.upto.items()):
        ahead = ",".join(map(str, done.ahead.get(partition, ())))
        among = f" OR click.offset IN ({ahead})" if ahead else ""
        each.append(f"(click.partition = {partition} AND (click.offset < {upto}{among}))")
    return F.expr(" OR ".join(each))


def _crowded_out(rule: Rule, cap: int) -> Column:
    """The reason when copies of redelivered clicks fill a half, so that clicks which count may have been left out."""

    def crowded(raw: str, distinct: str, inside: Column) -> Column:
        return (F.size(raw) == cap) & (F.size(distinct) < cap) & inside

    t = F.col("t.us")
    # Each half is sorted towards its far end: what was left out lies beyond the last click kept.
    before = crowded("latest", "before", F.try_element_at("before", F.lit(-1)).us > t - rule.window_us)
    after = crowded("earliest", "after", F.try_element_at("after", F.lit(-1)).us <= t)
    too_few = F.col("n") < rule.threshold
    return F.when(too_few & (F.coalesce(before, F.lit(False)) | F.coalesce(after, F.lit(False))), "redelivered")


def _headers(hand_over: HandOver | None) -> Column:
    def header(name: Column, value: Column) -> Column:
        return F.struct(name.alias("key"), value.cast("binary").alias("value"))

    is_revised = F.coalesce(F.col("t.click_id") != F.col("click.click_id"), F.lit(False))
    source = header(
        F.when(is_revised, REVISED_BY).otherwise(F.lit(SOURCE)), F.concat_ws(":", "click.partition", "click.offset")
    )
    if hand_over is None:
        return F.array(source)
    return F.array(source, header(F.lit(HAND_OVER), F.lit(str(hand_over.number))))


def _verdict(rule: Rule) -> Column:
    ts = F.date_format(F.timestamp_micros("t.us"), "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'")
    fields = {
        "fraudClick": F.when(F.col("n") >= rule.threshold, "Yes").otherwise("No"),
        "click_id": F.col("t.click_id"),
        "session_id": F.col("session_id"),
        "url": F.col("url"),
        "ts": ts,
        "clicks_in_window": F.col("n"),
        "window_ms": F.lit(rule.window_ms),
        "threshold": F.lit(rule.threshold),
        "rule_id": F.lit(rule.rule_id),
        "revised": F.col("t.click_id") != F.col("click.click_id"),
    }
    return F.to_json(F.struct(*(column.alias(name) for name, column in fields.items())))


def _dead_letter(topics: Topics, cap: int) -> Column:
    many = f"so many copies of one click that the rest of {cap} or more may not have been counted"
    copy = "a copy of a click that was judged before this rule took over: that verdict stands"
    fields = {
        "reason": F.col("reason"),
        "detail": F.coalesce("click.rejected.detail", F.when(F.col("reason") == "judged_before", copy), F.lit(many)),
        "topic": F.lit(topics.clicks),
        "partition": F.col("click.partition"),
        "offset": F.col("click.offset"),
        "value": F.coalesce("click.rejected.value", F.to_json(F.struct("click.click_id", "session_id", "url"))),
    }
    return F.to_json(F.struct(*(column.alias(name) for name, column in fields.items())), {"ignoreNullFields": "false"})
