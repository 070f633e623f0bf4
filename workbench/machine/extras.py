"""The extras of the package – what the core installs without – and what is said where one of them is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from workbench.errors import SetupError

__all__ = ["Extra", "extra", "how_to_install"]

Extra = Literal["lab", "metrics", "page", "report"]


def how_to_install(name: Extra) -> str:
    """The command that installs an extra.

    >>> how_to_install("page")
    'pip install "click-fraud-workbench[page]"'
    """
    return f'pip install "click-fraud-workbench[{name}]"'


@contextmanager
def extra(name: Extra) -> Iterator[None]:
    """Import inside what an extra brings: where it is not installed, SetupError says so and names the fix.

    >>> with extra("page"):
    ...     import no_such_package
    Traceback (most recent call last):
    workbench.errors.SetupError: the package no_such_package is missing: it is in the extra "page". Fix: pip install \
"click-fraud-workbench[page]"
    """
    try:
        yield
    except ModuleNotFoundError as error:
        what = f'the package {error.name} is missing: it is in the extra "{name}"'
        raise SetupError(f"{what}. Fix: {how_to_install(name)}") from error
