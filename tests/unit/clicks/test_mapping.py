"""How a source is to be read: what can be said, that it is written and read back, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.clicks.mapping import FIELD_NAMES, RESERVED, Mapping
from workbench.errors import ClickError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
PATH = TEXT.filter(lambda text: not text.endswith(".toml"))


@given(
    session_id=st.lists(PATH, max_size=3),
    url=st.none() | PATH,
    carry=st.dictionaries(TEXT.filter(lambda name: name not in (*FIELD_NAMES, *RESERVED)), PATH, max_size=3),
    client=st.sampled_from(["public", "first", "last"]) | st.integers(0, 9),
    tz=st.sampled_from([None, "UTC", "Asia/Shanghai"]),
    exclude=st.lists(TEXT, max_size=2),
    idle_gap=st.sampled_from(["30m", "90s"]),
    assets=st.booleans(),
)
def test_what_is_written_as_toml_is_read_back(**values: object) -> None:
    mapping = Mapping(**values)  # type: ignore[arg-type]
    text = mapping.to_toml()
    assert Mapping.of(text) == mapping if text else mapping == Mapping()


def test_a_mapping_is_made_of_what_users_give(tmp_path: Path) -> None:
    file = tmp_path / "clicks.toml"
    file.write_text('session_id = ["ip", "device", "os"]\nurl = "channel"\n[carry]\ncampaign = "utm.campaign"\n')
    wanted = Mapping(session_id=["ip", "device", "os"], url="channel", carry={"campaign": "utm.campaign"})
    assert Mapping.of(file) == Mapping.of(str(file)) == wanted
    assert Mapping.of({"session_id": "visitor"}).session_id == ("visitor",)
    assert Mapping.of("session_id=ip+device,url=page") == Mapping(session_id=["ip", "device"], url="page")
    assert Mapping.of(None) == Mapping()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("sesion_id=visitor", "session_id"),
        ("session_id", "FIELD=COLUMN"),
        ({"url": 7}, "column"),
        ({"tz": "Mars/Phobos"}, "zone"),
        ({"client": -1}, "trusted proxies"),
        ({"time_unit": "minutes"}, "ms"),
        ({"format": "xml"}, "parquet"),
        ({"idle_gap": "soon"}, "10s"),
        ({"merge_repeats": "2"}, "merge_repeats"),
        ({"carry": {"url": "x"}}, "field of a click"),
        ({"exclude": [""]}, "not empty"),
        ({"carry": 7}, "kind"),
        ("nowhere.toml", "No such file"),
        ("url = \n", "TOML"),
        (7, "int"),
    ],
)
def test_what_cannot_be_is_refused_in_words(given: object, said: str) -> None:
    with pytest.raises(ClickError, match=said):
        Mapping.of(given)  # type: ignore[arg-type]
