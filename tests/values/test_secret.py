"""The API key: a string in a header, and `'***'` wherever else it might be seen."""

from __future__ import annotations

import copy
import pickle
import pprint
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from twelvetasks.values.secret import ApiKey

KEY = "tlk_0SECRET1"
KEYS = st.text("_-.+$abcXYZ019", min_size=1, max_size=40)


@attrs.frozen
class _Holder:
    key: str


@pytest.mark.parametrize(
    "show",
    [
        repr,
        ascii,
        lambda key: repr([key]),
        lambda key: repr({"x-api-key": key}),
        lambda key: repr(CIMultiDict({"x-api-key": key})),
        lambda key: repr(_Holder(key)),
        lambda key: f"{key!r}",
        lambda key: "%r" % (key,),  # noqa: UP031
        lambda key: pprint.pformat({"headers": [key]}),
        lambda key: repr(ValueError(key)),
    ],
)
def test_the_repr_of_whatever_holds_the_key_hides_it(show: Callable[[ApiKey], str]) -> None:
    shown = show(ApiKey(KEY))
    assert "***" in shown
    assert KEY not in shown


def test_the_key_is_a_string_because_a_header_has_to_carry_it() -> None:
    assert ApiKey(KEY) == KEY
    assert str(ApiKey(KEY)) == KEY


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_key_cannot_be_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps({"key": ApiKey(KEY)}, protocol)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_headers_can_be_copied_and_the_copy_shows_no_key(duplicate: Callable[[Any], Any]) -> None:
    copied = duplicate({"x-api-key": ApiKey(KEY)})
    assert copied == {"x-api-key": KEY}
    assert KEY not in repr(copied)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(copied)


def test_what_encodes_the_key_alone_to_store_it_gets_stars() -> None:
    assert ApiKey(KEY).encode() == b"***"
    assert f"x-api-key: {ApiKey(KEY)}".encode().endswith(KEY.encode())


@given(KEYS, st.lists(st.text(), min_size=1, max_size=4))
def test_redacting_leaves_no_occurrence_of_any_key(key: str, between: list[str]) -> None:
    assert key not in ApiKey(key).redact(key.join(between))


def test_redacting_finds_the_key_in_lower_case_as_it_stands_in_a_host_name() -> None:
    assert ApiKey(KEY).redact(f"https://{KEY.lower()}.example") == "https://***.example"


def test_redacting_takes_the_key_literally() -> None:
    assert ApiKey("a.c").redact("abc a.c") == "abc ***"
