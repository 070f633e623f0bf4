"""Whom the click page turns away before it does anything, and the headers of every answer. Rates: `limits`."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException

from workbench.click_page.limits import Rates, group_of

__all__ = ["BODY_AT_MOST", "address", "install", "ip"]

BODY_AT_MOST = 16 * 1024
"""Bytes that the body of a request may have."""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def install(app: Flask, rates: Rates, names: Iterable[str]) -> None:
    """Put the guard before every route of the app.

    names: the hosts that it may be called by, beside localhost and IP addresses; what else a browser calls it was
    made to lead here by a stranger's DNS.
    """
    hosts = {"localhost", *(name.lower().rstrip(".") for name in names)}

    @app.before_request
    def refuse() -> None:
        if not _may_be_called(request.host, hosts):
            abort(400, "this page is not called by that name")
        if wait := rates.request(address()):
            abort(429, "too many requests from your address", retry_after=wait)
        if (request.content_length or 0) > BODY_AT_MOST:
            abort(413, f"a body may have {BODY_AT_MOST} bytes")
        if request.method not in ("GET", "HEAD", "OPTIONS") and _is_foreign():
            abort(403, "clicks are taken from this page only")

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers.extend(_HEADERS)
        if request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        return response

    @app.errorhandler(HTTPException)
    def as_json(error: HTTPException) -> Response:
        answer = Response(json.dumps({"error": error.description}), error.code, mimetype="application/json")
        kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
        answer.headers.extend(kept)
        return answer


def address() -> str:
    """What the limits of an address are counted for."""
    return group_of(request.remote_addr)


def ip() -> str | None:
    """The visitor's address for the click, None where a proxy names none that can be."""
    try:
        return str(ipaddress.ip_address(request.remote_addr or ""))
    except ValueError:
        return None


def _may_be_called(host: str, names: set[str]) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name.rstrip(".") in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_foreign() -> bool:
    """Whether a browser says that another site sends this. Programs do not say, and hold nobody's cookie."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = request.headers.get("Origin")
    return origin is not None and _place(origin) != _place(f"{request.scheme}://{request.host}")


def _place(origin: str) -> tuple[str, int] | None:
    """Host and port. Not the scheme: a proxy may have taken TLS off."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.hostname is None or parts.scheme not in ("http", "https"):
        return None
    # Behind a proxy the host comes without the port that TLS has: both usual ones are the same place.
    return parts.hostname, 80 if port in (None, 443) else port
