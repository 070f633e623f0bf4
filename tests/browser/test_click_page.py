"""The click page in a real browser: keyboard, phone, dark and still. With a real detector: `spark/test_click_page`.

Short sibling: tests/browser/test_click_page.py
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("playwright")
from browser import browser_page, chromium_path
from clicking import click_on, shoot
from playwright.sync_api import expect
from polling import until
from visitor import KEY, Visitor, clicks_on, judge

from workbench.broker.topics import Connection, Topics, ensure_topics
from workbench.click_page.limits import Limits
from workbench.click_page.server import ClickServer

pytestmark = [pytest.mark.java, pytest.mark.skipif(chromium_path() is None, reason="needs Chromium")]

expect.set_options(timeout=30_000)  # a busy machine may take longer than Playwright's 5 s


@pytest.fixture
def server(connection: Connection, topics: Topics) -> Iterator[ClickServer]:
    ensure_topics(connection, topics)
    with ClickServer(connection, topics, key=KEY) as running:
        yield running


def judge_all(connection: Connection, topics: Topics, expected: int) -> None:
    """Judge every click on the topic as the detector would, all of them of one session on one ad."""
    sent = until(lambda: len(found := clicks_on(connection, topics)) == expected and found, 30, said="clicks are sent")
    for number, click in enumerate(sorted(sent.values(), key=lambda click: click.ts), start=1):
        judge(connection, topics, click, fraud=number >= 3, count=number)


@pytest.mark.long
def test_the_page_is_used_by_keyboard_and_tells_a_screen_reader(
    connection: Connection, topics: Topics, server: ClickServer
) -> None:
    with browser_page() as (page, heard):
        page.goto(server.url)
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the ads")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        lamp = page.get_by_role("button", name="See the lamp")
        expect(lamp).to_be_focused()
        assert lamp.evaluate("e => getComputedStyle(e.closest('.ad')).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        page.keyboard.press("Space")
        expect(page.locator("#count-lamp")).to_have_text("2 clicks of yours")
        expect(lamp).to_be_focused()  # nothing takes it away
        page.keyboard.press("Enter")
        expect(page.locator("#count-lamp")).to_have_text("3 clicks of yours")
        judge_all(connection, topics, 3)
        status = page.get_by_role("status")
        expect(status).to_contain_text("Flagged as fraud.")
        assert status.get_attribute("aria-live") == "polite"
        assert page.get_by_role("img").count() == 3
        assert all(page.get_by_role("article").nth(n).get_attribute("aria-labelledby") for n in range(3))
        assert heard.errors == []
        # A page that is loaded again still knows.
        page.reload()
        expect(page.locator("#count-lamp")).to_have_text("3 clicks of yours")
        expect(page.locator(".pill")).to_have_text(["Flagged", "Clean", "Clean"])


# The contrast of each text with what is painted below it, as WCAG 2 counts it.
CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (c) => c.slice(0, 3).map((v) => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [.2126, .7152, .0722][n], 0);
  const paint = (e) => rgb(getComputedStyle(e).backgroundColor);
  const below = (e) => paint(e)[3] === 0 ? below(e.parentElement) : paint(e);
  return [...document.querySelectorAll("h1, h2, p, strong, p span, button, .count, time, .where, .why, .word")]
    .filter((e) => e.textContent.trim() && e.checkVisibility())
    .map((e) => { const [a, b] = [light(rgb(getComputedStyle(e).color)), light(below(e))].sort((x, y) => y - x);
      return [e.textContent.trim().slice(0, 30), (a + .05) / (b + .05)]; });
}"""


@pytest.mark.parametrize(
    ("width", "height", "scheme"),
    [
        pytest.param(width, height, scheme, marks=[] if (width, scheme) == (390, "dark") else pytest.mark.long)
        for width, height in [(320, 700), (390, 844), (760, 1000), (1200, 1000)]
        for scheme in ("light", "dark")
    ],
)
def test_it_fits_every_width_and_can_be_read_in_light_and_dark(
    connection: Connection, topics: Topics, server: ClickServer, width: int, height: int, scheme: str
) -> None:
    with browser_page(width, height) as (page, heard):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.goto(server.url)
        click_on(page, "See the lamp", times=3)
        judge_all(connection, topics, 3)
        expect(page.locator(".pill")).to_have_text(["Flagged", "Clean", "Clean"])
        until(lambda: page.evaluate("document.getAnimations().length") == 0, 10, said="nothing moves any more")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        pale = [(text, ratio) for text, ratio in page.evaluate(CONTRAST) if ratio < 4.5]
        assert pale == []
        sizes = page.locator("button").evaluate_all("all => all.map(e => e.getBoundingClientRect().height)")
        assert min(sizes) >= 44
        shoot(page, f"click-page-{width}-{scheme}")
        assert heard.errors == []


@pytest.mark.long
def test_nothing_moves_for_those_who_asked_for_that(server: ClickServer) -> None:
    with browser_page() as (page, _):
        page.emulate_media(reduced_motion="reduce")
        page.goto(server.url)
        click_on(page, "See the lamp")
        expect(page.get_by_role("status")).to_contain_text("Judging")
        assert page.evaluate("document.getAnimations({ subtree: true }).length") == 0


@pytest.mark.long
def test_where_no_stream_is_left_the_page_asks_and_one_that_is_hidden_holds_none(
    connection: Connection, topics: Topics
) -> None:
    ensure_topics(connection, topics)
    with ClickServer(connection, topics, limits=Limits(streams=1), key=KEY) as server, browser_page() as (page, heard):
        first = Visitor(server)
        first.open()
        line, answer = first.listen()
        assert answer.status == 200
        page.goto(server.url)
        click_on(page, "See the lamp", times=3)
        judge_all(connection, topics, 3)
        expect(page.locator(".pill")).to_have_text(["Flagged", "Clean", "Clean"])
        assert any(url.endswith("/verdicts") for url in heard.requests)
        line.close()


@pytest.mark.long
def test_a_click_that_is_not_taken_is_said_so(connection: Connection, topics: Topics) -> None:
    ensure_topics(connection, topics)
    limits = Limits(session_clicks=1)
    with ClickServer(connection, topics, limits=limits, key=KEY) as server, browser_page() as (page, _):
        page.goto(server.url)

        def too_fast() -> bool:
            click_on(page, "See the lamp", times=4)
            return "Too fast even for this page." in page.get_by_role("status").inner_text()

        until(too_fast, 30, said="clicks are turned away")
        server.stop()
        click_on(page, "See the lamp")
        expect(page.get_by_role("status")).to_contain_text("The page cannot be reached.")
