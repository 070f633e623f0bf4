"""A page of ads to click on, which shows each visitor the verdicts on its clicks. It judges none itself."""

from __future__ import annotations

from workbench.machine.extras import extra

with extra("page"):
    import flask  # noqa: F401
    import throttled  # noqa: F401
    import waitress  # noqa: F401
