"""Which labels of clicks mean fraud, and which labels there are. How generated clicks are labelled is in `visitors`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.clicks.visitors import BOT_LABELS
from workbench.distinct import distinct
from workbench.errors import ClickError
from workbench.text import printable, quote

__all__ = ["FRAUD_LABELS", "Labels", "alike", "label_text", "labels"]

FRAUD_LABELS: Final = (
    *BOT_LABELS, "1", "true", "t", "yes", "y", "fraud", "fraudulent", "bot", "bots", "robot", "invalid", "ivt", "givt",
    "sivt", "spam", "malicious", "bad",
)  # fmt: skip
"""Labels that mean fraud unless others are named: the generator's kinds of bots, and the usual words."""

_SHOWN: Final = 8

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of some clicks.

    Attributes
    ----------
    counts : mapping
        Label → how many clicks have it, most first; empty where clicks have no labels.
    fraud : tuple of str
        Those that mean fraud.
    of_each : ndarray of bool or None
        By click whether its label means fraud, shape (n,). None without labels, and where only counts are known.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    fraud: tuple[str, ...] = ()
    of_each: Bools | None = field(default=None, repr=False)

    @property
    def lack(self) -> str:
        """Why they do not tell good clicks from fraud, in a clause; empty where they do."""
        if not self.counts:
            return "the clicks have no labels"
        return "" if self.fraud else f"no label means fraud: there are {self._listed()}"

    def __str__(self) -> str:
        if self.lack:
            return self.lack
        count = sum(self.counts[label] for label in self.fraud)
        return f"{count:,} of {sum(self.counts.values()):,} clicks are labelled as fraud; labels: {self._listed()}"

    def _listed(self) -> str:
        shown = [
            f"{printable(quote(label)[1:-1])} ({count:,}{', fraud' if label in self.fraud else ''})"
            for label, count in list(self.counts.items())[:_SHOWN]
        ]
        more = len(self.counts) - len(shown)
        return ", ".join(shown) + (f" and {more:,} more" if more else "")


def labels(clicks: pd.DataFrame, fraud: Collection[str] = FRAUD_LABELS) -> Labels:
    """Look at the labels of clicks.

    Parameters
    ----------
    clicks
        With the column label: texts, booleans or numbers. Without it, or where it is empty throughout, there are none.
    fraud
        The labels that mean fraud, in capital letters or not. Empty: no label is looked at.

    Returns
    -------
    Labels
        Which there are, and which of them mean fraud.

    Raises
    ------
    ClickError
        Some clicks have a label and others do not.

    Examples
    --------
    >>> print(labels(pd.DataFrame({"label": [True, False, False]})))
    1 of 3 clicks are labelled as fraud; labels: false (2), true (1, fraud)
    >>> print(labels(pd.DataFrame({"label": ["human", "bat", "human"]})))
    no label means fraud: there are human (2), bat (1)
    """
    if "label" not in clicks.columns or not fraud:
        return Labels()
    codes, values = distinct(clicks["label"])
    known: dict[str, int] = {}
    texts = [label_text(value) for value in values]
    number_of = [known.setdefault(text, len(known)) if text else -1 for text in texts]
    numbers = np.array([*number_of, -1], np.int64)[codes]
    if not known and len(clicks):
        return Labels()
    if empty := int((numbers < 0).sum()):
        fix = "fill them, or leave the labels out: --fraud-labels '' (bots=[])"
        raise ClickError(f"{empty:,} of {len(clicks):,} clicks have no label. Fix: {fix}")
    wanted = {alike(label) for label in fraud}
    names, count = list(known), np.bincount(numbers)
    means_fraud = np.array([alike(name) in wanted for name in names], np.bool_)
    order = np.argsort(-count, kind="stable").tolist()
    return Labels(
        {names[i]: int(count[i]) for i in order}, tuple(names[i] for i in order if means_fraud[i]), means_fraud[numbers]
    )


def label_text(value: Any) -> str:
    """Write a label: booleans as true and false, whole numbers without a point; empty where there is none.

    >>> label_text(True), label_text(1.0), label_text(0), label_text(" bot "), label_text(None)
    ('true', '1', '0', 'bot', '')
    """
    if isinstance(value, str):
        return value.strip()
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return str(value)


def alike(label: str) -> str:
    """Write a label so that those that are one are equal: without blanks around it, in small letters."""
    return label.strip().lower()
