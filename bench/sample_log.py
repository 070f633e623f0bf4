"""Make the sample access log that the package carries: synthetic, and the same bytes for the same seed.

    python bench/sample_log.py workbench/clicks/data/sample-access.log.gz

Two front ends of one small shop write into the log, one with the clock of UTC and one of +0200. Addresses are
from the ranges kept for documentation. People browse, load assets with their pages, and now and then click
twice or reload in haste. Two bots hammer the advertisements in bursts, one crawler reads along, one monitor
asks with HEAD, and some lines are broken as they are in any real log.
"""

from __future__ import annotations

import gzip
import random
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

SEED = 20260102
LINES = 1_800
START = datetime(2026, 1, 2, 8, 0, tzinfo=UTC)
ZONES = (UTC, timezone(timedelta(hours=2)))
SITE = "https://shop.example"

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"
BROWSERS = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Safari/537.36",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {SAFARI} Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {SAFARI} Mobile/15E148 Safari/604.1",
    f"Mozilla/5.0 (Linux; Android 15; Pixel 9) {WEBKIT} Mobile Safari/537.36",
    rf"Mozilla/5.0 (Windows NT 10.0; Win64; x64; \"Kiosk\") {WEBKIT} Edg/142.0.0.0",
)
BOTS = ("python-requests/2.32.3", "Mozilla/5.0 (compatible; Windows NT 6.1)")
CRAWLER = "ExampleCrawler/1.4 (+https://crawler.example/about)"
PAGES = ("/", "/shoes", "/shoes/trail-7", "/bags", "/bags/canvas", "/search?q=boots", "/cart", "/about")
ADS = ("/ad/spring-sale", "/ad/free-shipping")
ASSETS = (
    "/static/site.css",
    "/static/site.js",
    "/static/logo.svg",
    "/img/hero.webp",
    "/fonts/sans.woff2",
    "/favicon.ico",
)
BROKEN = (
    "",
    "192.0.2.44 - - [02/Jan/2026:09:1",
    '192.0.2.45 - - [99/Jan/2026:09:15:00 +0000] "GET / HTTP/1.1" 200 4100 "-" "-"',
    '198.51.100.9 - - [02/Jan/2026:10:02:11 +0000] "-" 408 - "-" "-"',
    r'203.0.113.80 - - [02/Jan/2026:11:40:27 +0000] "\x16\x03\x01\x00\xee\x01" 400 157 "-" "-"',
    '192.0.2.46 - - [02/Jan/2026:12:00:00 +0000] "GET /bags HTTP/1.1" 200 5120 "-" "Mozilla/5.0 (trun',
)


def lines() -> list[str]:
    """Give the lines of the log, in the order a server would have written them."""
    rng = random.Random(SEED)
    requests: list[tuple[datetime, str]] = []
    _bots(rng, requests)
    while len(requests) < LINES - len(BROKEN):
        _person(rng, requests)
    requests = sorted(requests[: LINES - len(BROKEN)], key=lambda request: request[0])
    log = [line for _, line in requests]
    for line in BROKEN:
        log.insert(rng.randrange(1, len(log)), line)
    return log


def _person(rng: random.Random, requests: list[tuple[datetime, str]]) -> None:
    host = rng.choice(
        (
            f"192.0.2.{rng.randrange(1, 40)}",
            f"203.0.113.{rng.randrange(1, 60)}",
            f"2001:db8::{rng.randrange(1, 0xFFFF):x}",
            f"host-{rng.randrange(1, 9)}.isp.example",
        )
    )
    agent, now, referer = rng.choice(BROWSERS), START + timedelta(seconds=rng.uniform(0, 6 * 3600)), "-"
    for _ in range(rng.randrange(1, 9)):
        page = rng.choice(ADS) if rng.random() < 0.2 else rng.choice(PAGES)
        method = "POST" if page == "/cart" and rng.random() < 0.5 else "GET"
        clicks = 2 if rng.random() < 0.1 else 4 if rng.random() < 0.02 else 1
        for _ in range(clicks):
            requests.append((now, _line(rng, host, now, f"{method} {page} HTTP/1.1", referer, agent)))
            now += timedelta(seconds=rng.uniform(0.3, 2.5))
        for asset in rng.sample(ASSETS, rng.randrange(0, 3)):
            requests.append((now, _line(rng, host, now, f"GET {asset} HTTP/1.1", SITE + page, agent)))
        referer = SITE + page
        now += timedelta(seconds=rng.expovariate(1 / 45))


def _bots(rng: random.Random, requests: list[tuple[datetime, str]]) -> None:
    for number, agent in enumerate(BOTS):
        for _ in range(5):  # bursts: many clicks on one advertisement within seconds
            now = START + timedelta(seconds=rng.uniform(0, 6 * 3600))
            for _ in range(rng.randrange(5, 14)):
                host = f"198.51.100.{20 + number}"
                requests.append((now, _line(rng, host, now, f"GET {ADS[number]} HTTP/1.1", "-", agent)))
                now += timedelta(seconds=rng.uniform(0.2, 2.0))
    for step in range(40):
        now = START + timedelta(minutes=9 * step, seconds=rng.uniform(0, 5))
        page = "/robots.txt" if step % 20 == 0 else rng.choice(PAGES)
        requests.append((now, _line(rng, "crawl-1.crawler.example", now, f"GET {page} HTTP/1.1", "-", CRAWLER)))
        requests.append((now, _line(rng, "192.0.2.200", now, "HEAD / HTTP/1.0", "-", "uptime-check/2.1")))


def _line(rng: random.Random, host: str, at: datetime, request: str, referer: str, agent: str) -> str:
    clock = at.astimezone(rng.choice(ZONES)).strftime("%d/%b/%Y:%H:%M:%S %z")
    status, size = rng.choices((200, 304, 404, 302), (90, 5, 3, 2))[0], rng.randrange(300, 60_000)
    return f'{host} - - [{clock}] "{request}" {status} {size} "{referer}" "{agent}"'


if __name__ == "__main__":
    packed = gzip.compress("".join(line + "\n" for line in lines()).encode(), mtime=0)
    Path(sys.argv[1]).write_bytes(packed)
