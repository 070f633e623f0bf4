"""Several fields of a record together as one URL, or as one time, as Spark's columns: as `clicks.parts` does it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from workbench.clicks.dates import DATED, WHOLE_NUMBER, WORDED, WRITTEN
from workbench.clicks.parts import ABSOLUTE, USUAL_PORT, name_of, role
from workbench.text import BLANKS

if TYPE_CHECKING:
    from pyspark.sql import Column

__all__ = ["moment_of", "url_of"]


def url_of(texts: Sequence[Column], paths: Sequence[str]) -> Column:
    """The URL that texts are together; null of a record with nothing but a host. A single text is itself."""
    if len(paths) == 1:
        return texts[0]
    roles = [role(path) for path in paths]
    values = [_host(text) if kind == "host" else text for text, kind in zip(texts, roles, strict=True)]
    found = values[0]
    for i in range(1, len(paths)):
        part = F.when(~values[i].isin("", "-"), values[i])
        found = _with(found, part, roles[i], roles[:i] == ["host"] * i, name_of(paths[i]))
    asked = [
        F.coalesce(~value.isin("", "-"), F.lit(False))
        for value, kind in zip(values, roles, strict=True)
        if kind == "path"
    ]
    return F.when(reduce(lambda left, right: left | right, asked), found) if asked else found


def moment_of(texts: Sequence[Column]) -> Column:
    """The text of the time that texts are together, null where there is none. A single text is itself."""
    if len(texts) == 1:
        return texts[0]
    bare = [F.btrim(text, F.lit(BLANKS)) for text in texts]
    forms = "|".join(f"(?:{form})" for form in (DATED, WORDED, *(form for form, _ in WRITTEN), WHOLE_NUMBER))
    whole = F.coalesce(*(F.when(text.rlike(rf"^(?:{forms})\z"), text) for text in bare))
    joined = F.concat_ws(" ", *(F.regexp_replace(text, r"^([0-9]):", "0$1:") for text in bare))
    some = reduce(lambda left, right: left | right, (text.isNotNull() for text in bare))
    return F.when(some, F.coalesce(whole, joined))


def _with(before: Column, part: Column, kind: str, after_host: bool, name: str) -> Column:
    """A URL with one part more."""
    has_query = F.coalesce(before.contains("?"), F.lit(False))
    so_far = F.coalesce(before, F.lit(""))
    if kind == "query":
        sign = F.when(has_query, "&").otherwise("?")
        bare = F.when(part.startswith("?"), F.substr(part, F.lit(2))).otherwise(part)
        return F.when(part.isNull(), before).otherwise(F.concat(so_far, sign, bare))
    if after_host:
        absolute = F.coalesce(part.rlike(f"^{ABSOLUTE}"), F.lit(False))
        divided = F.when(part.startswith("/") | part.startswith("?"), part).otherwise(F.concat(F.lit("/"), part))
        step = F.when(part.isNull(), "").otherwise(divided)
        return F.when(before.isNull() | absolute, part).otherwise(F.concat(before, step))
    named = F.when(part.isNull(), before).otherwise(F.concat(so_far, F.lit(f"&{name}="), part))
    escaped = F.replace(F.coalesce(part, F.lit("")), F.lit("%"), F.lit("%25"))
    escaped = F.replace(escaped, F.lit("/"), F.lit("%2F"))
    return F.when(has_query, named).otherwise(F.concat(so_far, F.lit("/"), escaped))


def _host(text: Column) -> Column:
    return F.when(~text.isin("", "-"), F.lower(F.regexp_replace(text, USUAL_PORT, "")))
