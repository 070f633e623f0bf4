"""Seeded frames of verdicts for tests of charts and reports: no broker, no Spark, and no rule either."""

from __future__ import annotations

import numpy as np
import pandas as pd

START = pd.Timestamp("2026-01-02T03:04:05Z")


def verdict_frame(
    rows: int, *, seed: int = 0, rate: float = 1000.0, start: pd.Timestamp = START, bots: float = 0.25
) -> pd.DataFrame:
    """`rows` verdicts at about `rate` clicks a second: people, and bots that come and go, mostly flagged."""
    rng = np.random.default_rng(seed)
    at_us = np.sort(rng.uniform(0, rows / rate * 1e6, rows)).astype(np.int64)
    is_bot = rng.random(rows) < bots
    # A new bot every two seconds or so; each lives for ten and clicks in one place.
    bot = (at_us // 2_000_000 - rng.integers(0, 5, rows)).clip(0)
    person = rng.integers(0, max(rows // 8, 1), rows)
    session = np.where(is_bot, np.char.add("bot-", bot.astype(str)), np.char.add("visitor-", person.astype(str)))
    ad = np.where(is_bot, bot % 7, rng.integers(0, 40, rows))
    url = np.char.add("https://shop.example/ads/", ad.astype(str))
    fraud = (is_bot & (rng.random(rows) < 0.85)) | (rng.random(rows) < 0.01)
    ts = pd.Series(start.tz_convert("UTC") + pd.to_timedelta(at_us, unit="us")).astype("datetime64[us, UTC]")
    latency_us = (rng.lognormal(np.log(11_000), 0.5, rows)).astype(np.int64)
    judged_at = (ts + pd.to_timedelta(latency_us, unit="us")).dt.ceil("ms").astype("datetime64[ms, UTC]")
    return pd.DataFrame(
        {
            "click_id": [f"c{i}" for i in range(rows)],
            "session_id": session.astype(object),
            "url": url.astype(object),
            "ts": ts,
            "fraud": fraud,
            "clicks_in_window": np.where(fraud, rng.integers(3, 17, rows), rng.integers(1, 3, rows)).astype(np.int64),
            "revised": fraud & (rng.random(rows) < 0.02),
            "rule_id": "3-in-10s",
            "judged_at": judged_at,
            "latency_ms": (judged_at.astype("datetime64[us, UTC]") - ts).dt.total_seconds() * 1e3,
        }
    )
