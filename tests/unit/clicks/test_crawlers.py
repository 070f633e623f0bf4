"""Known crawlers and health checks by what they say of themselves, and a list of patterns kept harmless."""

from __future__ import annotations

import re

import crawleruseragents  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import pytest

from workbench.clicks import crawlers as module
from workbench.clicks.crawlers import AGENT_READ, crawlers


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "kube-probe/1.29",
        "ELB-HealthChecker/2.0", "GoogleHC/1.0", "Prometheus/2.53.1",
        "Amazon-Route53-Health-Check-Service (ref 1; report)",
        "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "Site24x7",
    ],
)  # fmt: skip
def test_those_who_say_that_they_are_no_person_are_known(agent: str) -> None:
    assert crawlers(pd.Series([agent])).tolist() == [True]


@pytest.mark.parametrize(
    "agent",
    [
        "curl/8.5.0", "python-requests/2.32.3", "Go-http-client/2.0", "okhttp/4.12.0", "", "-",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36",
    ],
)  # fmt: skip
def test_what_click_bots_are_made_of_is_judged_like_everyone_else(agent: str) -> None:
    assert crawlers(pd.Series([agent])).tolist() == [False]


def test_each_distinct_agent_is_looked_up_once_and_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Pattern:
        def search(self, agent: str) -> None:
            seen.append(agent)

    monkeypatch.setattr(module, "_patterns", lambda: [Pattern()])
    agents = pd.Series(["µ" * 65_536, "µ" * 70_000, "agent µ", "agent µ", None, np.nan], index=[3, 1, 4, 1, 5, 9])
    found = crawlers(agents)
    assert seen == ["µ" * AGENT_READ, "agent µ"]  # which no other test has
    assert found.dtype == bool
    assert list(found.index) == list(agents.index)


def test_no_pattern_of_the_list_can_take_more_than_quadratic_time() -> None:
    """At most one repetition a pattern, and none of them of a group."""
    for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA:
        bare = re.sub(r"\\.|\[[^\]]*\]", "x", entry["pattern"])
        assert len(re.findall(r"[*+{]", bare)) <= 1, entry["pattern"]
        assert not re.search(r"\)[*+{]", bare), entry["pattern"]
