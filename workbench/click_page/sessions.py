"""The session that the server issues to each visitor of the click page: a signed cookie, and the key that signs it."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from flask import Flask, request, session
from flask.sessions import SecureCookieSessionInterface

from workbench.errors import SetupError
from workbench.machine.folders import locked, state_dir

__all__ = ["KEY_VARIABLE", "current", "install", "issue", "secret_key"]

KEY_VARIABLE = "WORKBENCH_CLICK_APP_KEY"
_LEAST_KEY = 32
_LIFETIME = timedelta(hours=12)


def secret_key(environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> str:
    """The key of the cookies: of the environment, else of a file in the state folder that only its owner can read.

    Raises SetupError for a key that is too short to keep anyone out, or a file that others can read.
    """
    if chosen := environ.get(KEY_VARIABLE, ""):
        if len(chosen) < _LEAST_KEY:
            fix = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))' makes one"
            raise SetupError(f"{KEY_VARIABLE} has {len(chosen)} characters, {_LEAST_KEY} are needed; {fix}")
        return chosen
    path = (folder or state_dir()) / "click-app.key"
    with locked(path.with_suffix(".lock")):
        if not path.exists():
            # Whole or not there: a process that dies in between leaves no key that is cut off.
            draft = path.with_suffix(".new")
            draft.unlink(missing_ok=True)
            draft.touch(mode=0o600, exist_ok=False)
            draft.write_text(secrets.token_urlsafe(48), "ascii")
            draft.rename(path)
        if path.stat().st_mode & 0o077:
            raise SetupError(f"{path} can be read by others. Fix: delete it; a new key ends the sessions that are open")
        key = path.read_text("ascii").strip()
    if len(key) < _LEAST_KEY:
        raise SetupError(f"{path} holds no key. Fix: delete it; a new one is made")
    return key


class _Cookies(SecureCookieSessionInterface):
    digest_method = staticmethod(hashlib.sha256)

    def get_cookie_secure(self, app: Flask) -> bool:
        """Over TLS the cookie stays on TLS. The page itself is also served without, on loopback."""
        return request.is_secure


def install(app: Flask, key: str) -> None:
    """Let the app sign its cookies with this key. What is forged, altered or too old is an empty session to it."""
    app.secret_key = key
    app.session_interface = _Cookies()
    app.permanent_session_lifetime = _LIFETIME
    app.config.update(
        SESSION_COOKIE_NAME="click_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
    )


def current() -> str | None:
    """The session of this request, if it brought one that the server issued."""
    found = session.get("id")
    return found if isinstance(found, str) else None


def issue() -> str:
    """Give this visitor a new session, whatever the request brought."""
    session.clear()
    session.permanent = True
    session["id"] = made = f"web-{secrets.token_urlsafe(16)}"
    return made
