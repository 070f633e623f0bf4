"""Which records are clicks, where a source holds events of several kinds: conditions on the value of a field.

The same is done in Spark's words in `detector.foreign`. Texts of values are made in `ids`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from workbench.errors import ClickError
from workbench.text import BLANKS, quote

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

__all__ = ["REQUESTS", "Condition", "conditions"]

REQUESTS: Final = ("GET", "POST")
"""Methods of requests that can be clicks; a line without one is not left out for it."""

_PARTS = re.compile(r"(?P<path>[^=!]+)(?P<sign>!?=)(?P<values>.+)", re.DOTALL)


@dataclass(frozen=True)
class Condition:
    """A condition that a click meets: the value at `path` is one of `values`, or none of them.

    Capital letters and blanks around a value make no difference. A record without the value is a click by `!=` only.

    Attributes
    ----------
    path : str
        Where the value stands.
    values : tuple of str
        As they were written.
    is_one : bool
        Whether the value must be one of them; else it must be none of them.
    or_missing : bool
        Whether a record without it meets the condition.
    """

    path: str
    values: tuple[str, ...]
    is_one: bool
    or_missing: bool

    @classmethod
    def of(cls, text: str) -> Self:
        """Read one as it is written.

        >>> Condition.of("event_name=page_view,click"), Condition.of("type != scroll").reason
        (Condition(path='event_name', values=('page_view', 'click'), is_one=True, or_missing=False), 'type is scroll')

        Raises ClickError for what is none.
        """
        parts = _PARTS.fullmatch(text)
        values = tuple(filter(None, map(str.strip, parts["values"].split(",")))) if parts else ()
        path = parts["path"].strip() if parts else ""
        if not parts or not values or not path:
            forms = "as event_name=click, event_name=click,tap or type!=scroll"
            raise ClickError(f"where is {quote(text)}: write what a click has, {forms}")
        return cls(path, values, parts["sign"] == "=", or_missing=parts["sign"] != "=")

    @property
    def plain(self) -> tuple[str, ...]:
        """The values in capital letters, to compare with."""
        return tuple(dict.fromkeys(value.upper() for value in self.values))

    @property
    def reason(self) -> str:
        """Why a record that does not meet it is left out."""
        return f"{self.path} is {'not ' if self.is_one else ''}{' or '.join(self.values)}"

    def but(self, path: str) -> str:
        """Write the same condition on another place."""
        return f"{path}{'=' if self.is_one else '!='}{','.join(self.values)}"

    def met(self, texts: pd.Series[Any]) -> npt.NDArray[np.bool_]:
        """Say of each text (None: there is none) whether it meets the condition. Shape (n,).

        >>> import pandas as pd
        >>> Condition.of("type=click").met(pd.Series(["Click ", "view", None])).tolist()
        [True, False, False]
        """
        known: dict[Any, bool] = {None: self.or_missing}
        for text in set(texts.to_list()):
            if isinstance(text, str):
                known[text] = (text.strip(BLANKS).upper() in self.plain) == self.is_one
        import numpy as np  # not at the top: a mapping is made where nothing is read

        return np.fromiter((known.get(text, self.or_missing) for text in texts.to_list()), np.bool_, len(texts))


def conditions(where: Sequence[str], method: str | None = None) -> list[Condition]:
    """Read those of a mapping; `method` is where a request's method stands, which is one of them: GET or POST."""
    given = [Condition.of(text) for text in where]
    return given if method is None else [Condition(method, REQUESTS, is_one=True, or_missing=True), *given]
