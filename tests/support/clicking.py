"""Clicking on the click page in a browser, and taking its picture. No tests here."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Page

SHOTS = os.environ.get("WORKBENCH_TEST_SCREENSHOTS")


def click_on(page: Page, action: str, times: int = 1) -> None:
    for _ in range(times):
        page.get_by_role("button", name=action).click()


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.mouse.move(0, 0)
        page.wait_for_timeout(600)
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)
