"""What a report is about: the clicks of files or a topic, judged, and what of the source could not be. No tables here.

Clicks of known crawlers are set aside unless they are to be kept, and judged by themselves. What is personal
is masked in all that is meant to be shown: see `mask`. The clicks as they were recorded are kept apart, for evidence
that is to have them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import pandas as pd

from workbench.broker.recorded import read_topic
from workbench.broker.records import records
from workbench.broker.topics import Connection, Topics, describe
from workbench.clicks.crawlers import crawlers
from workbench.clicks.foreign import AnyMapping, topic_mapping
from workbench.clicks.intake import CRAWLERS
from workbench.clicks.mapping import Mapping
from workbench.clicks.recording import Recording
from workbench.clicks.urls import parameters_of_ad
from workbench.distinct import count
from workbench.errors import ClickError
from workbench.reports import patterns
from workbench.reports.beside import Merged, if_merged
from workbench.reports.mask import Masks
from workbench.rule import Rule, judge
from workbench.text import quote
from workbench.verdicts.feed import dead_letter

__all__ = ["Findings", "of_recording", "of_topics"]

_REJECTED_SHOWN: Final = 20
_REASONS_SHOWN: Final = 10


@dataclass(frozen=True, eq=False)
class Findings:
    """Judged clicks, each once and in the order of their times.

    Attributes
    ----------
    source : str
        A file's or topic's name.
    rule : Rule
        The rule that judged.
    judged : DataFrame
        What `rule.judge` gives, masked unless asked for otherwise. Where crawlers are judged with the rest, crawler
        (bool) says which clicks are theirs.
    recorded : DataFrame
        The same with nothing masked.
    crawlers : DataFrame
        The clicks of known crawlers and health checks, judged; among those in `judged` only where they are kept there.
    quality : DataFrame
        What became of the records of the source, columns what and records.
    rejected : DataFrame
        The first of those that are no clicks, with the reason.
    mapping : Mapping
        How the source was read.
    how_read : tuple of str
        The same as lines of TOML; a line in which something was masked says so, and cannot be read back.
    warnings : tuple of str
        What is to be said before any number.
    notes : tuple of str
        Guesses that were made, and what was done to records so that they could be read.
    """

    source: str
    rule: Rule
    judged: pd.DataFrame
    recorded: pd.DataFrame
    crawlers: pd.DataFrame
    quality: pd.DataFrame
    rejected: pd.DataFrame
    mapping: Mapping
    how_read: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        ts = self.judged["ts"]
        who = f"{len(ts):,} clicks of {count(self.judged['session_id']):,} sessions"
        return f"{self.source}: {who} from {ts.min():%Y-%m-%d %H:%M:%S} to {ts.max():%Y-%m-%d %H:%M:%S} UTC"

    @property
    def dropped(self) -> tuple[str, ...]:
        """The parameters of URLs that were dropped, wherever they were."""
        return parameters_of_ad(self.mapping.url_drop, self.mapping.url_keep)

    @cached_property
    def merged(self) -> Merged | None:
        """What merging repeats within 2 s would change; None where repeats are merged already."""
        return if_merged(self.recorded, self.rule) if self.mapping.merge_repeats is None else None

    @property
    def figures(self) -> dict[str, Any]:
        """The findings in numbers that fit into JSON."""
        judged, flagged = self.recorded, self.recorded[self.recorded["fraud"]]
        found: dict[str, Any] = {
            "read": str(self),
            "warnings": list(self.warnings),
            "rule_id": self.rule.rule_id,
            "clicks": len(judged),
            "sessions": count(judged["session_id"]),
            "urls": count(judged["url"]),
            "flagged": len(flagged),
            "flagged_share": len(flagged) / len(judged),
            "flagged_sessions": count(flagged["session_id"]),
            "flagged_urls": count(flagged["url"]),
            "bursts": len(patterns.bursts(judged, self.rule)),
            "suspicious": int(patterns.suspicious(judged, self.rule).sum()),
            "near_misses": len(patterns.near_misses(judged, self.rule)),
            "crawlers": self.mapping.crawlers,
            "by_crawlers": len(self.crawlers),
            "flagged_by_crawlers": int(self.crawlers["fraud"].sum()),
        }
        if self.merged is not None:
            found["merged"] = {"clicks_fewer": self.merged.clicks, "sessions_fewer": self.merged.sessions}
        return found


def of_recording(recording: Recording, source: str, rule: Rule, *, show_personal: bool = False) -> Findings:
    """Judge the clicks of files.

    Parameters
    ----------
    recording
        What `clicks.read` gave.
    source
        What the report is to call them.
    rule
        The rule to judge by.
    show_personal
        Mask nothing: no addresses, e-mail addresses, phone numbers, secrets, names or queries.

    Returns
    -------
    Findings
        The judged clicks, and what of the files could not be.

    Raises
    ------
    ClickError
        There are no clicks in them.
    """
    counts = {"lines": recording.lines, "clicks": len(recording.clicks)}
    counts |= {f"left out: {reason}": lines for reason, lines in recording.filtered.items()}
    counts |= {"malformed": len(recording.rejected)}
    if len(reasons := Counter(recording.rejected["reason"])) > 1:
        counts |= {f"malformed: {reason}": lines for reason, lines in reasons.most_common(_REASONS_SHOWN)}
    counts |= {"late: dated before a line above them": recording.late}
    return _findings(source, rule, recording, counts, show_personal)


def of_topics(
    connection: Connection,
    topics: Topics,
    rule: Rule,
    *,
    mapping: AnyMapping | None = None,
    show_personal: bool = False,
    progress: bool = False,
) -> Findings:
    """Judge the clicks that the topic holds, the newest million. The dead letters beside it are counted by reason.

    Parameters
    ----------
    connection, topics
        Where the clicks and the dead letters are.
    rule
        The rule to judge by.
    mapping
        How records that other producers wrote are read as clicks, as for `wb.detect`.
    show_personal
        Mask nothing: no addresses, e-mail addresses, phone numbers, secrets, names or queries.
    progress
        Show a bar on stderr.

    Returns
    -------
    Findings
        The judged clicks, and what of the topic could not be.

    Raises
    ------
    TopicError, BrokerError, ClickError
        A topic is missing; no broker answers; there are no clicks.
    """
    how = Mapping.of(mapping)
    ours = how == Mapping(crawlers=how.crawlers)  # nothing is said of fields: these are records of the workbench
    held = read_topic(connection, topics.clicks, mapping=None if ours else how, progress=progress)
    read = how.but(url_keep=["*"]) if ours else topic_mapping(how).but(crawlers=how.crawlers)
    clicks, aside = _without_crawlers(held.clicks) if how.crawlers == "aside" else (held.clicks, held.clicks.iloc[:0])
    counts = {
        "records": held.records,
        "clicks": len(clicks),
        f"left out: {CRAWLERS}": len(aside),
        "malformed": held.invalid,
        "tombstones, which only delete": held.tombstones,
        "ticks, which keep an idle partition moving": held.ticks,
        "older records, left out": held.older,
        **{f"left out: {reason}": n for reason, n in held.filtered.items()},
    }
    letters = _dead_letters(connection, topics.dead_letters)
    counts |= {f"given up by the detector: {reason.replace('_', ' ')}": n for reason, n in letters.items()}
    recording = Recording(clicks, held.records, held.rejected, held.filtered, aside, mapping=read, notes=held.notes)
    return _findings(f"topic {topics.clicks}", rule, recording, counts, show_personal)


def _without_crawlers(clicks: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    if "user_agent" not in clicks:
        return clicks, clicks.iloc[:0]
    known = crawlers(clicks["user_agent"]).to_numpy()
    return clicks[~known].reset_index(drop=True), clicks[known].reset_index(drop=True)


def _findings(source: str, rule: Rule, held: Recording, counts: dict[str, int], show_personal: bool) -> Findings:
    if held.clicks.empty:
        counted = ", ".join(f"{n:,} {what}" for what, n in counts.items() if n)
        fix = "judge them with the rest: --crawlers keep" if len(held.crawlers) else "see what it should hold"
        raise ClickError(f"{source} holds no clicks to report on ({counted or 'it is empty'}). Fix: {fix}")
    judged, aside = judge(held.clicks, rule), judge(held.crawlers, rule)
    counts = counts | {"repeated, counted once": len(held.clicks) - len(judged)}
    if held.mapping.crawlers == "keep" and "user_agent" in judged:
        judged = judged.assign(crawler=crawlers(judged["user_agent"]))
        aside = judged[judged["crawler"]]
    shown = held.rejected.head(_REJECTED_SHOWN)
    if "file" in shown and len({*shown["file"]}) < 2:
        shown = shown.drop(columns="file")
    told = {"how_read": held.mapping.to_toml().splitlines(), "warnings": held.warnings, "notes": held.notes}
    recorded, masks = judged, Masks()
    if not show_personal:
        judged, aside = (masks.frame(clicks, held.mapping.session_id) for clicks in (judged, aside))
        headers = [held.headers.get(file) for file in held.rejected.get("file", [])[:_REJECTED_SHOWN]]
        for name in shown.select_dtypes(object):
            of = headers if name == "text" else [None] * len(shown)
            shown = shown.assign(**{str(name): list(map(masks.line, map(str, shown[name]), of))})
        if said := "\n".join(told["warnings"]):  # they quote sessions
            sessions = dict(zip(recorded["session_id"], judged["session_id"], strict=True))
            for whose, mask in sessions.items():
                if whose != mask and whose[:20] in said:
                    said = said.replace(quote(whose), quote(mask))
            told["warnings"] = said.split("\n")
        given = told["how_read"]
        told = {name: [masks.text(text) for text in texts] for name, texts in told.items()}
        # What is masked must not be read back as a mapping: such a line is no TOML.
        shown_so = zip(given, told["how_read"], strict=True)
        told["how_read"] = [b if a == b else f"{b}  (masked: write what was given)" for a, b in shown_so]
    return Findings(
        source=source,
        rule=rule,
        judged=judged,
        recorded=recorded,
        crawlers=aside,
        quality=pd.DataFrame({"what": list(counts), "records": list(counts.values())}),
        rejected=shown,
        mapping=held.mapping,
        **{name: tuple(said) for name, said in told.items()},
    )


def _dead_letters(connection: Connection, topic: str) -> Counter[str]:
    held = describe(connection, [topic])[topic]
    letters = (dead_letter(record.value) for record in records(connection, topic, held.begin, held.end))
    return Counter(str(letter.get("reason", "unreadable")) for letter in letters)
