"""Seeded, labelled clicks: how many, how fast, and by whom. How each kind of visitor clicks is in `visitors`.

Nothing here is sent anywhere: that is `broker.sender`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from workbench.clicks.visitors import BOT_LABELS, LABELS, draw
from workbench.durations import duration as as_duration
from workbench.errors import TrafficError

__all__ = ["ADS", "BOT_LABELS", "LABELS", "Mix", "Traffic"]

ADS = tuple(
    f"/ad/{name}"
    for name in (
        "city-breaks", "running-shoes", "phone-plans", "garden-tools", "car-insurance", "language-course",
        "espresso-machine", "mountain-bikes", "online-bank", "winter-coats", "headphones", "meal-kits",
    )
)  # fmt: skip

_CLICKS_AT_MOST = 10_000_000


@dataclass(frozen=True)
class Mix:
    """What share of the clicks each kind of visitor makes. They add up to 1.

    Parameters
    ----------
    people
        They browse; None gives them what the others leave.
    double_clickers
        People who click everything twice.
    burst_bots
        They hammer one ad.
    drip_bots
        They click slowly and steadily, to stay below the threshold.
    rotating_bots
        They take another session every two clicks.

    Raises
    ------
    TrafficError
        A share is no number from 0 to 1, or they do not add up to 1.

    Examples
    --------
    >>> Mix(burst_bots=0.5, drip_bots=0, rotating_bots=0, double_clickers=0).shares["person"]
    0.5
    """

    people: float | None = None
    double_clickers: float = 0.08
    burst_bots: float = 0.12
    drip_bots: float = 0.05
    rotating_bots: float = 0.05

    def __post_init__(self) -> None:
        others = (self.double_clickers, self.burst_bots, self.drip_bots, self.rotating_bots)
        names = ("double_clickers", "burst_bots", "drip_bots", "rotating_bots")
        if self.people is None:
            object.__setattr__(self, "people", round(1 - sum(others), 9))
        for name, share in zip(("people", *names), (self.people, *others), strict=True):
            if share is None or not 0 <= share <= 1:
                raise TrafficError(
                    f"{name} is {share!r}: a share of the clicks is a number from 0 to 1, and all add up to 1"
                )
        total = sum(self.shares.values())
        if abs(total - 1) > 1e-6:
            raise TrafficError(
                f"the shares of the mix add up to {total:g}, not 1: leave out people to give them the rest"
            )

    @property
    def shares(self) -> dict[str, float]:
        """Label → share of the clicks, in the order of `LABELS`."""
        values = (
            self.people or 0.0,
            self.double_clickers,
            self.burst_bots,
            self.drip_bots,
            self.rotating_bots,
        )
        return dict(zip(LABELS, values, strict=True))

    def counts(self, clicks: int) -> dict[str, int]:
        """Label → whole clicks, adding up to `clicks`: largest remainders get what rounding leaves over.

        >>> Mix(double_clickers=0, burst_bots=0.5, drip_bots=0, rotating_bots=0).counts(3)
        {'person': 2, 'double_click': 0, 'burst_bot': 1, 'drip_bot': 0, 'rotating_bot': 0}
        """
        exact = np.array(list(self.shares.values())) * clicks
        whole = np.floor(exact + 1e-9).astype(int)
        largest = np.argsort(whole - exact, kind="stable")[: max(0, clicks - int(whole.sum()))]
        whole[largest] += 1
        return dict(zip(LABELS, whole.tolist(), strict=True))


@dataclass(frozen=True)
class Traffic:
    """Made-up clicks of people and bots. The same settings and the same start give the same clicks.

    Parameters
    ----------
    rate
        Clicks a second.
    duration
        How long, as "60s" or a timedelta.
    mix
        What share each kind of visitor has.
    seed
        Of the random numbers, from 0 up.
    ads
        The URLs that are clicked.

    Raises
    ------
    TrafficError
        A setting is out of range, or makes no click or more than ten million.

    Examples
    --------
    >>> clicks = Traffic(rate=200, duration="30s", seed=7).clicks(datetime(2026, 1, 2, tzinfo=UTC))
    >>> len(clicks), clicks["ts"].is_monotonic_increasing
    (6000, True)
    """

    rate: float = 100.0
    duration: timedelta | str = "60s"
    mix: Mix = field(default_factory=Mix)
    seed: int = 0
    ads: tuple[str, ...] = ADS

    def __post_init__(self) -> None:
        object.__setattr__(self, "duration", as_duration(self.duration))
        object.__setattr__(self, "ads", tuple(self.ads))
        if not (np.isfinite(self.rate) and self.rate > 0):
            raise TrafficError(f"rate is {self.rate!r}: give clicks per second, more than 0")
        if self.seed < 0:
            raise TrafficError(f"seed is {self.seed!r}: give a whole number from 0 up")
        if not self.ads or not all(isinstance(ad, str) and ad for ad in self.ads):
            raise TrafficError(f"ads is {self.ads!r}: give at least one URL")
        if not 1 <= self.size <= _CLICKS_AT_MOST:
            raise TrafficError(
                f"{self.rate:g} clicks/s for {self.seconds:g} s are {self.size:,} clicks: "
                f"choose a rate and a duration that make 1 to {_CLICKS_AT_MOST:,}"
            )

    @property
    def seconds(self) -> float:
        """`duration` in seconds."""
        return as_duration(self.duration).total_seconds()

    @property
    def size(self) -> int:
        """How many clicks there will be: rate × duration, rounded."""
        return round(self.rate * self.seconds)

    def clicks(self, start: datetime) -> pd.DataFrame:
        """Draw the clicks of [start, start + duration), sorted by `ts`.

        Sessions name the kind of visitor; all ids carry a tag made of seed and start, so two runs into one topic never
        share a session or a click.

        Returns
        -------
        DataFrame
            A click frame with `ip`, `user_agent` and `label` (one of `LABELS`, the truth).

        Raises
        ------
        TrafficError
            `start` is without a time zone.
        """
        if start.tzinfo is None:
            raise TrafficError(
                f"start is {start!r}, without a time zone: give an aware time, such as datetime.now(UTC)"
            )
        start_us = round((start - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))
        tag = np.base_repr(zlib.crc32(f"{self.seed}/{start_us}".encode()) % 36**5, 36).lower().rjust(5, "0")
        rng, length_us = np.random.default_rng(self.seed), round(self.seconds * 1e6)
        parts = [draw(rng, label, n, length_us, self.ads, tag) for label, n in self.mix.counts(self.size).items() if n]
        clicks = pd.concat(parts, ignore_index=True)
        clicks = clicks.sort_values("ts", kind="stable", ignore_index=True)
        ts = (clicks["ts"].to_numpy() + start_us).view("datetime64[us]")
        clicks["ts"] = pd.Series(ts).dt.tz_localize("UTC")
        clicks.insert(0, "click_id", [f"{tag}-{i:06d}" for i in range(1, len(clicks) + 1)])
        return clicks
