"""Records of other people's producers as columns of clicks: a mapping in Spark's words. Nothing is judged here.

The same as `clicks.foreign` does in Python, with the same reasons. Hosts and times are in `foreign_values`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Final, NamedTuple

from pyspark.sql import functions as F

from workbench.clicks import urls
from workbench.clicks.columns import is_address
from workbench.clicks.exclusions import Exclusions
from workbench.clicks.foreign import FRAMED, LIST, NOT_ONE
from workbench.clicks.identity import NO_VISITOR
from workbench.clicks.ids import LOST_DIGITS, WHOLE, lost_digits, no_text
from workbench.clicks.intake import ASSET, EXCLUDED, NO_PAGE, NO_VISITOR_SAID, no_ad
from workbench.clicks.mapping import CONSTANT, Mapping
from workbench.clicks.where import Condition, conditions
from workbench.detector.foreign_parts import moment_of, url_of
from workbench.detector.foreign_values import host, in_network, moment, text_of_time
from workbench.errors import ClickError
from workbench.sources.json_values import LOOSE
from workbench.sources.paths import ENTRY_NAMES, ENTRY_VALUES, Step, parse
from workbench.text import BLANKS, LONGEST_TEXT, quote

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["CONF", "ForeignRecords"]

CONF: Final = {"spark.sql.variant.allowDuplicateKeys": "true"}
"""Settings of a session that reads such records: of a name that comes twice the last one counts, as in Python."""

_EXACT: Final = 2**53
_MAYBE_NOT_TEXT: Final = r"^(?:-?[0-9]|NaN|-?Inf|true|false|[{\[])"
_SENT_ALONG: Final = ("key", "value", "partition", "offset", "received")


class ForeignRecords:
    """Reads records as the Kafka source gives them by a mapping of `clicks.foreign.topic_mapping`.

    Gives columns as `source.WireRecords` does.
    """

    reasons = ("malformed", "no_visitor", "filtered")

    def __init__(self, mapping: Mapping, topic: str) -> None:
        self._mapping = mapping
        framed = F.coalesce(F.substring("value", 1, 1) == F.lit(b"\0"), F.lit(False))
        body = F.when(framed, F.substring("value", 6, 2**31 - 1)).otherwise(F.col("value")).cast("string")
        text = F.when(body.startswith("\ufeff"), F.substr(body, F.lit(2))).otherwise(body)
        first = F.left(F.ltrim("text", F.lit(" \t\r\n")), F.lit(1))
        self._texts = (framed.alias("framed"), text.alias("text"))
        self._document = _document(first).alias("document")
        no_record = F.when(F.col("framed"), FRAMED).when(first == "[", LIST).otherwise(NOT_ONE)
        self._no_record = F.when(F.col("document").isNull(), no_record).alias("no_record")

        asked = conditions(mapping.where)
        fields = ["session_id", "url", "ts", "click_id", "method", *(("ip", "user_agent") if mapping.exclude else ())]
        named = (*(path for field in fields for path in mapping.paths_of(field)), *(each.path for each in asked))
        paths = list(dict.fromkeys(named))
        self._raw = tuple(_raw(path).alias(f"raw{i}") for i, path in enumerate(paths))
        at = {path: i for i, path in enumerate(paths)}
        values = [_Value(F.col(f"raw{i}"), F.col(f"said{i}"), F.col(f"kind{i}")) for i in at.values()]
        self._said = tuple(F.try_variant_get(f"raw{i}", "$", "string").alias(f"said{i}") for i in at.values())
        self._kinds = tuple(_kind(value.raw, value.said).alias(f"kind{i}") for i, value in enumerate(values))
        self._plain = tuple(_text(*value).alias(f"text{i}") for i, value in enumerate(values))
        self._ids = tuple(_tidy(F.col(f"text{i}")).alias(f"id{i}") for i, _ in enumerate(values))

        def text_of(path: str) -> Column:
            return F.col(f"text{at[path]}")

        def id_of(path: str) -> Column:
            return F.col(f"id{at[path]}")

        def part(path: str) -> Column:
            given = id_of(path)
            return F.coalesce(host(given, mapping.client), given) if is_address(path) else given

        def wrong(path: str) -> Column:
            _, said, kind = values[at[path]]
            return text_of(path).isNull() & (kind != "") & ~((kind == "STRING") & (said == ""))

        def part_of_time(path: str) -> Column:
            _, said, kind = values[at[path]]
            too_long = (kind == "STRING") & (F.length(said) > LONGEST_TEXT)  # it is there, and makes no time
            return F.coalesce(text_of(path), F.when(too_long, said))

        def lost(path: str) -> Column:
            raw, said, kind = values[at[path]]
            finite = F.abs(F.try_variant_get(raw, "$", "double")) < F.lit(float("inf"))
            number = (kind == "DOUBLE") & text_of(path).isNull() & finite
            return F.coalesce(number | (kind == "STRING") & _is_cut(said), F.lit(False))

        url_paths, ts_paths = mapping.paths_of("url"), mapping.paths_of("ts")
        whole = url_of([text_of(path) for path in url_paths], url_paths)
        self._whole = (whole.alias("url_whole"), moment_of([part_of_time(path) for path in ts_paths]).alias("ts_whole"))
        whole_url = F.col("url_whole")
        if len(url_paths) > 1:
            whole_url = F.when(F.length(whole_url).between(1, LONGEST_TEXT), whole_url)
        self._given = _tidy(whole_url).alias("url_given")
        given = F.col("url_given")
        lost_url = lost(url_paths[0]) if len(url_paths) == 1 else F.coalesce(_is_cut(given), F.lit(False))
        when = values[at[ts_paths[0]]]
        if len(ts_paths) > 1:
            said = F.col("ts_whole")
            when = _Value(_raw(CONSTANT), said, F.when(said.isNotNull(), "STRING").otherwise(""))
        self._time = text_of_time(when.said).alias("ts_text")
        event_time, no_time = moment(when.raw, F.col("ts_text"), when.kind, mapping)
        click_id = F.concat_ws(":", F.lit(topic), "partition", "offset")
        page = F.lit(True)
        for request in conditions((), mapping.method):
            url, is_text = F.col("url_whole"), F.lit(True)
            if len(url_paths) == 1:
                _, url, kind = values[at[url_paths[0]]]
                is_text = kind == "STRING"
            page = _met(request, text_of(request.path))
            if not mapping.assets:
                asset = url.rlike(f"^(?i){ASSET.replace('Z', 'z')}") & is_text
                page &= ~F.coalesce(asset, F.lit(False))
        self._values = [
            given,
            _url(given, mapping).alias("url"),
            event_time,
            no_time.alias("no_time"),
            F.array(*(part(path) for path in mapping.session_id)).alias("parts"),
            reduce(lambda left, right: left | right, map(wrong, mapping.session_id)).alias("wrong_visitor"),
            F.array(*(lost(path) for path in mapping.session_id)).alias("lost_visitor"),
            lost_url.alias("lost_url"),
            (click_id if mapping.click_id is None else id_of(mapping.click_id)).alias("click_id"),
            (F.lit(False) if mapping.click_id is None else lost(mapping.click_id)).alias("lost_click_id"),
            page.alias("is_page"),
            _unmet(asked, id_of).alias("unmet"),
        ]
        if mapping.exclude:
            assert mapping.ip is not None, "topic_mapping fills it in"
            assert mapping.user_agent is not None, "as this"
            self._values += [
                host(text_of(mapping.ip), mapping.client).alias("ip"),
                text_of(mapping.user_agent).alias("user_agent"),
            ]
        self._whose = (
            _visitor(len(mapping.session_id)).alias("session_id"),
            _is_excluded(mapping).alias("is_excluded"),
        )
        self._why = self._what_is_wrong().alias("why")
        self.is_none, self.reason, self.detail = F.col("why").isNotNull(), F.col("why.reason"), F.col("why.detail")

    def __call__(self, raw: DataFrame) -> DataFrame:
        """The rows of the source, parsed. One step after another, so that nothing is worked out twice."""
        sent = [F.col(name) for name in _SENT_ALONG[:4]] + [F.col("timestamp").alias("received")]
        found = raw.select(*sent, *self._texts).select(*_SENT_ALONG, "framed", "text", self._document)
        found = found.select(*_SENT_ALONG, "document", self._no_record).select(*_SENT_ALONG, "no_record", *self._raw)
        found = found.select("*", *self._said).select("*", *self._kinds).select("*", *self._plain)
        found = found.select("*", *self._ids, *self._whole).select("*", self._time, self._given)
        found = found.select(*_SENT_ALONG, "no_record", *self._values)
        return found.select("*", *self._whose).select("*", self._why)

    def _what_is_wrong(self) -> Column:
        """The first reason in the order in which `Intake` looks, or null."""

        def why(reason: str, detail: Column | str) -> Column:
            detail = F.lit(detail) if isinstance(detail, str) else detail
            return F.struct(F.lit(reason).alias("reason"), detail.alias("detail"))

        mapping, visitor = self._mapping, F.col("session_id")
        said = F.when(F.col("no_record").isNotNull(), why("malformed", F.col("no_record")))
        if mapping.method is not None:
            said = said.when(~F.col("is_page"), why("filtered", NO_PAGE))
        if mapping.where:
            said = said.when(F.col("unmet").isNotNull(), why("filtered", F.col("unmet")))
        said = said.when(F.col("lost_url"), why("malformed", lost_digits("url")))
        said = said.when(F.col("url_given").isNull(), why("malformed", no_text("url")))
        said = said.when(F.col("is_excluded"), why("filtered", EXCLUDED))
        if mapping.url_from is not None:
            said = said.when(F.col("url").isNull(), why("filtered", no_ad(mapping.url_from)))
        said = said.when(F.col("no_time").isNotNull(), why("malformed", F.col("no_time")))
        too_long = F.coalesce(F.length(visitor) > LONGEST_TEXT, F.lit(False))
        lost = F.exists("lost_visitor", lambda one: one)
        said = said.when(lost, why("malformed", lost_digits("session_id")))
        said = said.when(F.col("wrong_visitor") | too_long, why("malformed", no_text("session_id")))
        said = said.when(visitor.isNull(), why("no_visitor", NO_VISITOR_SAID))
        said = said.when(F.col("lost_click_id"), why("malformed", lost_digits("click_id")))
        said = said.when(F.col("click_id").isNull(), why("malformed", no_text("click_id")))
        return said


class _Value(NamedTuple):
    """A value of a record: the variant, what it says as text, and what kind it is, see `_kind`."""

    raw: Column
    said: Column
    kind: Column


def _document(first: Column) -> Column:
    """The record as a variant, null where it is not one JSON object.

    It is parsed as the first element of a list whose second one nobody can know, so nothing else can be in between.
    """
    sign = secrets.token_hex(8)
    listed = F.concat(F.lit("["), F.col("text"), F.lit(f',"{sign}"]'))
    parsed = F.from_json(listed, "array<variant>", {"allowSingleQuotes": "false"})
    alone = (F.size(parsed) == 2) & (F.try_variant_get(F.get(parsed, F.lit(1)), "$", "string") == sign)
    strict = F.when(F.col("text").rlike(LOOSE), F.try_parse_json(listed).isNotNull()).otherwise(True)
    whole = F.is_valid_utf8("text") & (first == "{") & alone & strict
    return F.when(F.coalesce(whole, F.lit(False)), F.get(parsed, F.lit(0)))


def _raw(path: str) -> Column:
    """The variant at a path, null where there is none: as `paths.lookup`."""
    if path.startswith(CONSTANT):
        return F.parse_json(F.lit(json.dumps(path[len(CONSTANT) :])))
    steps = parse(path)
    found = _steps(F.col("document"), steps)
    if len(steps) > 1:
        found = F.coalesce(F.try_variant_get("document", f"${_name(path)}", "variant"), found)
    return F.when(~F.coalesce(F.is_variant_null(found), F.lit(True)), found)


def _steps(found: Column, steps: Sequence[Step]) -> Column:
    at = ""
    for i, step in enumerate(steps):
        if isinstance(step, tuple):
            entries = F.try_variant_get(found, f"${at}", "array<variant>")
            return _steps(_entry(entries, step[0]), steps[i + 1 :])
        at += f"[{step}]" if isinstance(step, int) else _name(step)
    return F.try_variant_get(found, f"${at}", "variant") if at else found


def _entry(entries: Column, name: str) -> Column:
    """The value of the first entry of this name."""

    def at(entry: Column, place: str) -> Column:
        return F.try_variant_get(entry, f"$.{place}", "variant")

    def is_it(entry: Column) -> Column:
        named = F.coalesce(*(at(entry, place) for place in ENTRY_NAMES))
        text = F.when(F.schema_of_variant(named) == "STRING", F.try_variant_get(named, "$", "string"))
        return F.coalesce((text == name) & at(entry, "value").isNotNull(), F.lit(False))

    inner = at(F.get(F.filter(entries, is_it), F.lit(0)), "value")
    each = (at(inner, kind) for kind in ENTRY_VALUES)
    typed = F.coalesce(*(F.when(~F.coalesce(F.is_variant_null(one), F.lit(True)), one) for one in each))
    return F.when(F.schema_of_variant(inner).startswith("OBJECT"), typed).otherwise(inner)


def _name(name: str) -> str:
    """A name as a step in one of Spark's paths."""
    for sign, form in (("'", f"['{name}']"), ('"', f'["{name}"]')):
        if sign not in name and "?" not in name:
            return form
    if "." in name or "[" in name:
        raise ClickError(f"the path {quote(name)} cannot be read from a topic: it has quotes or ? beside . or [")
    return f".{name}"


def _kind(raw: Column, text: Column) -> Column:
    """What a variant is: "" for nothing, "STRING", "BIGINT", "DOUBLE" …; a number that is none is nothing.

    To ask for it takes long: only for what may be no text.
    """
    kind = F.when(text.rlike(_MAYBE_NOT_TEXT), F.schema_of_variant(raw)).otherwise("STRING")
    kind = F.when((text == "NaN") & (kind == "DOUBLE"), "").otherwise(kind)
    return F.when(raw.isNull(), "").otherwise(kind)


def _text(raw: Column, text: Column, kind: Column) -> Column:
    """A value as text of a length we keep, or null: as `intake` has it."""
    number = F.try_variant_get(raw, "$", "double")
    whole = F.when((F.abs(number) < _EXACT) & (number == F.floor(number)), number.cast("bigint").cast("string"))
    plain = kind.isin("STRING", "BOOLEAN", "BIGINT") | kind.startswith("DECIMAL")
    found = F.when(plain, text).when(kind == "DOUBLE", whole)
    return F.when(F.length(found).between(1, LONGEST_TEXT), found)


def _tidy(text: Column) -> Column:
    """As `ids.Ids.tidy`."""
    trimmed = F.btrim(text, F.lit(BLANKS))
    whole = F.when(trimmed.endswith(".0") | trimmed.endswith("00"), F.regexp_replace(trimmed, rf"^{WHOLE}\z", "$1"))
    return F.when(trimmed != "", F.coalesce(whole, trimmed))


def _is_cut(text: Column) -> Column:
    """Whether it is a number of which the first digits were kept."""
    return F.btrim(text, F.lit(BLANKS)).rlike(rf"^(?:{LOST_DIGITS})\z")


def _met(condition: Condition, text: Column) -> Column:
    """As `Condition.met`."""
    is_one = F.upper(F.btrim(text, F.lit(BLANKS))).isin(*condition.plain)
    return F.coalesce(is_one if condition.is_one else ~is_one, F.lit(condition.or_missing))


def _unmet(asked: Sequence[Condition], text_of: Callable[[str], Column]) -> Column:
    """Why the first condition that a record does not meet leaves it out; null where all are met."""
    reasons = [F.when(~_met(each, text_of(each.path)), F.lit(each.reason)) for each in asked]
    return F.coalesce(F.lit(None).cast("string"), *reasons)


def _url(url: Column, mapping: Mapping) -> Column:
    """As `urls.dropped` and `urls.taken` have it."""
    if mapping.url_from is not None:
        value = F.regexp_extract(url, urls.ad_pattern(mapping.url_from, end=r"\z"), 1)
        return F.when(value != "", F.concat(F.lit(f"{mapping.url_from}="), value))
    names = urls.parameters_of_ad(mapping.url_drop, mapping.url_keep)
    if names:
        path, query = (make(names, mapping.url_keep, end=r"\z") for make in (urls.path_pattern, urls.parameter_pattern))
        less = F.regexp_replace(F.regexp_replace(F.regexp_replace(url, path, ""), query, ""), urls.TRAILING, "")
        less = F.when(less == "", "/").otherwise(less)
        some = F.when(url.rlike(path) | url.rlike(query), less).otherwise(url)
        url = F.when(url.contains("?") | url.contains(";"), some).otherwise(url)
    return url


def _is_excluded(mapping: Mapping) -> Column:
    """As `exclusions.Exclusions`."""
    out, agent = Exclusions(mapping.exclude), F.lower("user_agent")
    found = [in_network(F.col("ip"), network) for network, _ in out.networks]
    found += [F.col("url_given").contains(F.lit(text)) for text, _ in out.urls]
    found += [(agent != "-") & agent.contains(F.lit(text)) for text, _ in out.agents]
    return reduce(lambda left, right: left | right, (F.coalesce(one, F.lit(False)) for one in found), F.lit(False))


def _visitor(parts: int) -> Column:
    """As `intake.visitor`."""

    def names_one(part: Column) -> Column:
        plain = F.lower(F.btrim(part, F.lit(BLANKS)))
        return F.coalesce(~plain.isin(*sorted(NO_VISITOR)) & (F.btrim(plain, F.lit("0.")) != ""), F.lit(False))

    def escaped(part: Column) -> Column:
        return F.replace(F.replace(F.coalesce(part, F.lit("")), F.lit("%"), F.lit("%25")), F.lit("/"), F.lit("%2F"))

    given = F.get("parts", F.lit(0))
    if parts > 1:
        given = F.array_join(F.transform("parts", escaped), "/")
    return F.when(names_one(F.get("parts", F.lit(0))), given)
