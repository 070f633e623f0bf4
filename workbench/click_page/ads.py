"""The ads of the click page, all of them made up. Their pictures are the SVG files beside this one; no routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["ADS", "Ad"]


@dataclass(frozen=True, slots=True)
class Ad:
    """One ad: its short name, the `url` of its clicks, and what it says. Its picture is `<name>.svg`."""

    name: str
    url: str
    brand: str
    headline: str
    text: str
    action: str
    picture: str


_ALL = (
    Ad(
        "lamp",
        "https://duskworks.example/lamp",
        "Duskworks",
        "A lamp that knows when it is dusk",
        "It warms as the sky cools. No app, no switch.",
        "See the lamp",
        "A round paper lamp glows over a table in front of an evening sky",
    ),
    Ad(
        "ferry",
        "https://sleepwater.example/night-boat",
        "Sleepwater Ferries",
        "Asleep in the harbour, awake among mountains",
        "The night boat north. Every cabin has a window.",
        "Find a cabin",
        "A ferry with lit windows crosses a fjord under the moon",
    ),
    Ad(
        "coffee",
        "https://halfpastsix.example/coffee",
        "Half Past Six",
        "Roasted while you were dreaming",
        "Beans at your door before the first alarm.",
        "Taste the morning",
        "A steaming cup of coffee in front of a rising sun",
    ),
)
ADS: Final = {ad.name: ad for ad in _ALL}
"""Name → ad, in the order of the page."""
