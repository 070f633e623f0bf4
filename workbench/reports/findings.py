"""What a report is about: the clicks of a file or a topic, judged, and what of the source could not be. No tables here.

Addresses are masked in all that is meant to be shown. The clicks as they were recorded are kept apart, for evidence
that is to have them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.broker.recorded import read_topic
from workbench.broker.records import records
from workbench.broker.topics import Connection, Topics, describe
from workbench.clicks.recording import Recording
from workbench.distinct import count
from workbench.errors import ClickError
from workbench.reports import patterns
from workbench.reports.mask import mask_text, masked
from workbench.rule import Rule, judge
from workbench.verdicts.feed import dead_letter

__all__ = ["Findings", "of_recording", "of_topics"]

_REJECTED_SHOWN = 20


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
        What `rule.judge` gives, addresses masked unless asked for, and crawler (bool) where there are user agents.
    recorded : DataFrame
        The same with nothing masked.
    quality : DataFrame
        What became of the records of the source, columns what and records.
    rejected : DataFrame
        The first of those that are no clicks, with the reason.
    """

    source: str
    rule: Rule
    judged: pd.DataFrame
    recorded: pd.DataFrame
    quality: pd.DataFrame
    rejected: pd.DataFrame

    @property
    def figures(self) -> dict[str, Any]:
        """The findings in numbers that fit into JSON."""
        judged, flagged = self.judged, self.judged[self.judged["fraud"]]
        found = {
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
        }
        if "crawler" in judged:
            found |= {"by_crawlers": int(judged["crawler"].sum()), "flagged_by_crawlers": int(flagged["crawler"].sum())}
        return found


def of_recording(recording: Recording, source: Path | str, rule: Rule, *, show_ips: bool = False) -> Findings:
    """Judge the clicks of a file.

    Parameters
    ----------
    recording
        What `clicks.read` gave.
    source
        The file; the report has its name.
    rule
        The rule to judge by.
    show_ips
        Mask no addresses.

    Returns
    -------
    Findings
        The judged clicks, and what of the file could not be.

    Raises
    ------
    ClickError
        There are no clicks in it.
    """
    counts = {
        "lines": recording.lines,
        "clicks": len(recording.clicks),
        "malformed": len(recording.rejected),
        **{f"left out: {reason}": count for reason, count in recording.filtered.items()},
        "late: dated before a line above them": recording.late,
    }
    return _findings(Path(source).name, rule, recording.clicks, counts, recording.rejected, show_ips)


def of_topics(
    connection: Connection, topics: Topics, rule: Rule, *, show_ips: bool = False, progress: bool = False
) -> Findings:
    """Judge the clicks that the topic holds, the newest million. The dead letters beside it are counted by reason.

    Parameters
    ----------
    connection, topics
        Where the clicks and the dead letters are.
    rule
        The rule to judge by.
    show_ips
        Mask no addresses.
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
    held = read_topic(connection, topics.clicks, progress=progress)
    counts = {
        "records": held.records,
        "clicks": len(held.clicks),
        "malformed": held.invalid,
        "tombstones, which only delete": held.tombstones,
        "ticks, which keep an idle partition moving": held.ticks,
        "older records, left out": held.older,
    }
    letters = _dead_letters(connection, topics.dead_letters)
    counts |= {f"given up by the detector: {reason.replace('_', ' ')}": n for reason, n in letters.items()}
    return _findings(f"topic {topics.clicks}", rule, held.clicks, counts, held.rejected, show_ips)


def _findings(
    source: str, rule: Rule, clicks: pd.DataFrame, counts: dict[str, int], rejected: pd.DataFrame, show_ips: bool
) -> Findings:
    if clicks.empty:
        counted = ", ".join(f"{n:,} {what}" for what, n in counts.items() if n)
        raise ClickError(f"{source} holds no clicks to report on ({counted or 'it is empty'}); see what it should hold")
    judged = judge(clicks, rule)
    if "user_agent" in judged:
        judged = judged.assign(crawler=patterns.crawlers(judged["user_agent"]))
    counts = counts | {"repeated, counted once": len(clicks) - len(judged)}
    shown = rejected.head(_REJECTED_SHOWN)
    if not show_ips:
        texts = {str(name): [mask_text(str(text)) for text in shown[name]] for name in shown.select_dtypes(object)}
        shown = shown.assign(**texts)
    return Findings(
        source=source,
        rule=rule,
        judged=judged if show_ips else masked(judged),
        recorded=judged,
        quality=pd.DataFrame({"what": list(counts), "records": list(counts.values())}),
        rejected=shown,
    )


def _dead_letters(connection: Connection, topic: str) -> Counter[str]:
    held = describe(connection, [topic])[topic]
    letters = (dead_letter(record.value) for record in records(connection, topic, held.begin, held.end))
    return Counter(str(letter.get("reason", "unreadable")) for letter in letters)
