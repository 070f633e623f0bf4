"""Which of many texts may hold something personal: a quick look at all of them. What does, is found in `personal`.

Nearly all URLs of a million hold nothing. To find that out one by one takes longer than all else that is done to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["suspects"]

_STEMS: Final = (
    "token", "key", "auth", "pass", "pwd", "secret", "sess", "sid", "jwt", "sig", "otp", "pin", "srf", "credential",
    "cookie", "ticket", "bearer", "sso", "saml", "mail", "phone", "tel", "mobile", "msisdn", "cell", "whatsapp", "fax",
    "user", "login", "uid", "account", "customer", "member", "name", "street", "zip", "post", "birth", "dob", "ssn",
    "iban", "idfa", "aid", "advertisingid", "deviceid", "query", "search", "keywords",
)  # fmt: skip
"""What each name of `personal.kind_of_name` has in it, other signs between its letters or not."""

_BETWEEN: Final = r"[_.\-\[\]$[:^ascii:]]"
_SIGNS: Final = (
    r"[%\\@ +;]|[0-9](?:[0-9]{7}|[-_][0-9]|[0-9][.)][0-9]{3}|[xX])|[A-Za-z0-9_-]{20}"  # codes, numbers, long values
)
_NAMES: Final = (
    rf"(?i)(?:{'|'.join(f'{_BETWEEN}*'.join(stem) for stem in _STEMS)}|(?:^|[^A-Za-z0-9])q)"
    rf"(?:[A-Za-z0-9]|{_BETWEEN})*[=\"']"
)


def suspects(texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Say of each text whether it may hold something personal. Shape (n,). Where not, `personal.replaced` leaves it.

    >>> suspects(["/ad?id=7&page=2", "/ad?user_name=ann", "/203.0.113.9", "v1"]).tolist()
    [False, True, True, False]
    """
    try:
        column = pa.array(texts, pa.large_string())
    except UnicodeEncodeError:  # half of a surrogate pair
        return np.ones(len(texts), np.bool_)
    found = pc.match_substring_regex(column, _SIGNS).to_numpy(zero_copy_only=False)
    found |= (pc.count_substring(column, ".").to_numpy() > 2) | (pc.count_substring(column, ":").to_numpy() > 1)
    rest = np.flatnonzero(~found)
    found[rest] = pc.match_substring_regex(column.take(rest), _NAMES).to_numpy(zero_copy_only=False)
    return np.asarray(found, np.bool_)
