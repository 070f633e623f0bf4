"""The click page in a real browser with a real detector: two visitors side by side."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

pytest.importorskip("playwright")
from browser import browser_page, chromium_path
from clicking import click_on, shoot
from playwright.sync_api import expect
from polling import until
from visitor import KEY, Visitor

from workbench.broker.topics import Connection, Topics, ensure_topics
from workbench.click_page.server import ClickServer
from workbench.detector.handle import detect
from workbench.rule import Rule

pytestmark = [pytest.mark.java, pytest.mark.skipif(chromium_path() is None, reason="needs Chromium")]

expect.set_options(timeout=30_000)  # a busy machine may take longer than Playwright's 5 s


def test_of_two_visitors_side_by_side_the_one_who_clicks_like_a_bot_sees_it_within_a_second(
    connection: Connection, topics: Topics, tmp_path: Path
) -> None:
    ensure_topics(connection, topics)
    checkpoint = tmp_path / "checkpoint"
    with (
        ClickServer(connection, topics, key=KEY) as server,
        # No checkpoint while it is watched: one makes verdicts wait.
        detect(Rule(), connection, topics=topics, checkpoint=checkpoint, checkpoint_every="10m") as handle,
        browser_page(1200, 1000) as (bot, heard),
    ):
        handle.wait_until_started()
        warm = Visitor(server)
        until(
            lambda: warm.click("coffee", "?verdict=wait").json.get("verdict", "pending") != "pending", 90, said="warm"
        )

        def caught_within_a_second() -> bool:
            bot.context.clear_cookies()
            bot.goto(server.url)
            assert bot.context.browser is not None
            with bot.context.browser.new_context(viewport={"width": 1200, "height": 1000}) as other:
                person = other.new_page()
                person.goto(server.url)
                click_on(person, "Find a cabin")
                click_on(person, "Taste the morning")
                click_on(bot, "Find a cabin")
                click_on(bot, "See the lamp", times=3)
                third = time.monotonic()
                try:
                    expect(bot.get_by_role("status")).to_contain_text(
                        "Flagged as fraud. 3 clicks on Duskworks in 10 s", timeout=1000
                    )
                except AssertionError:
                    return False
                print(f"seen {time.monotonic() - third:.3f} s after the third click")
                expect(person.locator(".pill")).to_have_text(["Clean", "Clean"])
                expect(person.get_by_role("status")).to_contain_text("Clean.")
                expect(bot.locator(".pill")).to_have_text(["Flagged", "Clean", "Clean", "Clean"])
                # One more of the person on another ad than twice: still clean.
                click_on(person, "Find a cabin")
                expect(person.locator(".pill")).to_have_text(["Clean", "Clean", "Clean"])
                shoot(bot, "click-page")
                shoot(person, "click-page-person")
                return True

        until(caught_within_a_second, 60, said="the verdict is seen within a second of the third click")
        assert heard.errors == []
        assert all(url.startswith(server.url) for url in heard.requests)
        handle.wait_until_caught_up("60s")
