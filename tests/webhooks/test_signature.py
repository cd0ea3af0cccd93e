"""`verify` lets through what the platform signed, lately, with the secret, and nothing else."""

from __future__ import annotations

import gzip
import json
import logging
import math
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.webhooks.signing import NOW, SECRET, body_of, signed
from twelvetasks import InvalidArgumentError, TwelveTasksError, WebhookError
from twelvetasks.webhooks import Receiver, Refusal, verify

BODIES = st.binary(max_size=200) | st.sampled_from([body_of(), body_of(status="failed")])
SECRETS = st.text(min_size=1, max_size=80).filter(lambda s: s.isprintable() and s == s.strip())
TIMES = st.integers(0, 10**12)
SIGNATURE = "bba3d53c5e66094920a4c9fb98712b522fcb0d734076e4957ef4bb0999c78ce0"


def verified(body: bytes, header: str | None, secret: Any = SECRET, now: float = NOW) -> int:
    return verify(body, header, secret, clock=lambda: now)


def refusal(body: bytes, header: str | None, secret: Any = SECRET, now: float = NOW) -> Refusal:
    with pytest.raises(WebhookError) as caught:
        verified(body, header, secret, now)
    return caught.value.refusal


def test_a_signature_made_by_another_program_is_right() -> None:
    """Printed by `openssl dgst -sha256 -hmac whsec_test` for ``1659342128.{"id":"whe_1"}``."""
    header = f"t=1659342128,v1={SIGNATURE}"
    assert verified(b'{"id":"whe_1"}', header, "whsec_test", 1659342128.9) == 1659342128


class TestWhateverIsSigned:
    @given(BODIES, SECRETS, TIMES)
    def test_what_was_signed_is_accepted(self, body: bytes, secret: str, time: int) -> None:
        assert verified(body, signed(body, secret, time), secret, time) == time

    @given(BODIES, BODIES)
    def test_no_other_body_is(self, body: bytes, other: bytes) -> None:
        assume(body != other)
        assert refusal(other, signed(body, SECRET, NOW)) == Refusal.FORGED

    @given(BODIES, st.data())
    def test_no_changed_byte_of_the_body_is(self, body: bytes, data: st.DataObject) -> None:
        assume(body)
        place = data.draw(st.integers(0, len(body) - 1))
        changed = bytearray(body)
        changed[place] ^= data.draw(st.integers(1, 255))
        assert refusal(bytes(changed), signed(body, SECRET, NOW)) == Refusal.FORGED

    @given(BODIES, st.data())
    def test_no_part_of_the_body_is(self, body: bytes, data: st.DataObject) -> None:
        assume(body)
        header = signed(body, SECRET, NOW)
        end = data.draw(st.integers(0, len(body) - 1))
        assert refusal(body[:end], header) == Refusal.FORGED
        assert refusal(body[end + 1 :], header) == Refusal.FORGED
        assert refusal(body + body[: end + 1], header) == Refusal.FORGED

    @given(BODIES, st.data(), st.characters())
    def test_no_changed_character_of_the_header_is(
        self, body: bytes, data: st.DataObject, character: str
    ) -> None:
        header = signed(body, SECRET, NOW)
        place = data.draw(st.integers(0, len(header) - 1))
        assume(header[place] != character)
        changed = header[:place] + character + header[place + 1 :]
        assert refusal(body, changed) in {Refusal.FORGED, Refusal.MALFORMED_SIGNATURE}

    @given(BODIES, st.integers(1, 78))
    def test_no_part_of_the_header_is(self, body: bytes, cut: int) -> None:
        header = signed(body, SECRET, NOW)
        for part in (header[:-cut], header[cut:]):
            assert refusal(body, part) in {Refusal.FORGED, Refusal.MALFORMED_SIGNATURE}

    @given(BODIES, SECRETS, SECRETS)
    def test_no_other_secret_is(self, body: bytes, secret: str, other: str) -> None:
        assume(secret != other)
        assert refusal(body, signed(body, secret, NOW), other) == Refusal.FORGED

    @given(BODIES, TIMES, TIMES)
    def test_no_other_time_is(self, body: bytes, time: int, other: int) -> None:
        assume(time != other)
        signature = signed(body, SECRET, time).partition(",")[2]
        assert refusal(body, f"t={other},{signature}", now=other) == Refusal.FORGED

    @given(st.text() | st.from_regex(r"(t=\d*|v1=[0-9a-f]*|,)*"))
    def test_no_header_made_without_the_secret_is(self, header: str) -> None:
        assert refusal(b"{}", header) in {Refusal.FORGED, Refusal.MALFORMED_SIGNATURE}

    @given(TIMES, st.floats(), st.floats(0, 1e6))
    @example(NOW, NOW + 300.0, 300.0)
    @example(NOW, NOW - 300.0, 300.0)
    @example(NOW, math.nextafter(NOW + 300.0, math.inf), 300.0)
    @example(NOW, math.nan, 300.0)
    def test_the_clock_decides_in_both_directions(
        self, time: int, now: float, tolerance: float
    ) -> None:
        header = signed(b"{}", SECRET, time)
        if abs(now - time) <= tolerance:
            assert verify(b"{}", header, SECRET, tolerance, clock=lambda: now) == time
        else:
            with pytest.raises(WebhookError) as caught:
                verify(b"{}", header, SECRET, tolerance, clock=lambda: now)
            assert caught.value.refusal == Refusal.STALE


@pytest.mark.parametrize(
    "encode",
    [
        lambda body: json.dumps(json.loads(body)).encode(),
        lambda body: json.dumps(json.loads(body), indent=1, ensure_ascii=False).encode(),
        lambda body: json.dumps(json.loads(body), separators=(",", ":")).encode(),
        lambda body: json.dumps(json.loads(body), ensure_ascii=False, sort_keys=True).encode(),
        lambda body: body + b"\n",
        lambda body: b"\xef\xbb\xbf" + body,
        lambda body: body.decode().encode("utf-16"),
        lambda body: body.decode().encode("latin-1"),
        gzip.compress,
    ],
    ids=["escaped", "indented", "compact", "sorted", "newline", "BOM", "utf-16", "latin-1", "gzip"],
)
def test_the_same_json_in_other_bytes_is_forged(encode: Callable[[bytes], bytes]) -> None:
    body = body_of()
    assert encode(body) != body
    assert refusal(encode(body), signed(body, SECRET, NOW)) == Refusal.FORGED


class TestTheHeader:
    @pytest.mark.parametrize(
        "write",
        [
            lambda t, right: f"{t},v1={'0' * 64},{right}",
            lambda t, right: f"{t},{right},v1={'0' * 64},v1=",
            lambda t, right: f"{right},{t}",
            lambda t, right: f"v0={'0' * 64}, {t} ,\t{right}, v2=ä,,nonsense",
        ],
    )
    def test_one_right_signature_among_others_is_enough(
        self, write: Callable[[str, str], str]
    ) -> None:
        time, _, right = signed(b"{}", SECRET, NOW).partition(",")
        assert verified(b"{}", write(time, right)) == NOW

    @pytest.mark.parametrize(
        "write",
        [
            lambda t, right: "",
            lambda t, right: t,
            lambda t, right: right,
            lambda t, right: f"{t},{t},{right}",
            lambda t, right: f"t=,{right}",
            lambda t, right: f"t=-1,{right}",
            lambda t, right: f"t=+{NOW},{right}",
            lambda t, right: f"t={NOW}.0,{right}",
            lambda t, right: f"t={NOW} ,t=1,{right}",
            lambda t, right: f"t={'٣' * 10},{right}",
            lambda t, right: f"t={'9' * 5000},{right}",
            lambda t, right: f"{t},v2={right[3:]}",
            lambda t, right: f"{t};{right}",
        ],
    )
    def test_what_the_platform_does_not_write_is_malformed(
        self, write: Callable[[str, str], str]
    ) -> None:
        time, _, right = signed(b"{}", SECRET, NOW).partition(",")
        assert refusal(b"{}", write(time, right)) == Refusal.MALFORMED_SIGNATURE

    def test_another_scheme_does_not_count(self) -> None:
        header = signed(b"{}", SECRET, NOW).replace("v1=", "v0=")
        assert refusal(b"{}", f"{header},v1={'0' * 64}") == Refusal.FORGED

    @pytest.mark.parametrize("value", ["ä" * 64, "\udcff" * 64, "\0" * 64, "A" * 100_000])
    def test_a_signature_may_be_any_text(self, value: str) -> None:
        assert refusal(b"{}", f"t={NOW},v1={value}") == Refusal.FORGED

    def test_none_is_unsigned(self) -> None:
        assert refusal(b"{}", None) == Refusal.UNSIGNED

    def test_a_time_is_believed_only_once_it_is_signed(self) -> None:
        assert refusal(b"{}", f"t=1,v1={'0' * 64}") == Refusal.FORGED
        assert refusal(b"{}", signed(b"{}", SECRET, 1)) == Refusal.STALE


class TestSecrets:
    def test_both_are_right_while_one_is_being_changed(self) -> None:
        for secret in ("old", "new"):
            assert verified(b"{}", signed(b"{}", secret, NOW), ["old", "new"]) == NOW
        assert refusal(b"{}", signed(b"{}", "older", NOW), ["old", "new"]) == Refusal.FORGED

    @pytest.mark.parametrize(
        "secret",
        [
            None,
            "",
            (),
            [],
            b"whsec_bytes",
            [b"whsec_bytes"],
            [SECRET, ""],
            [SECRET, None],
            f"{SECRET}\n",
            f" {SECRET}",
            f"{SECRET}\0",
            f"{SECRET}\udcff",
            [SECRET, f"{SECRET}\n"],
            7,
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("use", [lambda secret: verified(b"", "", secret), Receiver])
    def test_what_cannot_be_one_is_refused_and_not_shown(
        self, use: Callable[[Any], object], secret: Any
    ) -> None:
        with pytest.raises(InvalidArgumentError, match=r"secret='\*\*\*': must") as caught:
            use(secret)
        assert_hidden(caught.value, "whsec_")

    def test_no_refusal_shows_it(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        for header in (None, "", "t=1,v1=1", signed(b"{}", SECRET, 1)):
            with pytest.raises(WebhookError) as caught:
                verify(b"{}", header, SECRET)
            assert_hidden(caught.value, SECRET)
        assert SECRET not in caplog.text

    @pytest.mark.parametrize(
        ("parameter", "arguments"),
        [
            ("body", ("text", "t=1,v1=1", SECRET)),
            ("body", (bytearray(b"{}"), "t=1,v1=1", SECRET)),
            ("signature_header", (b"{}", b"t=1,v1=1", SECRET)),
            ("signature_header", (b"{}", ["t=1,v1=1"], SECRET)),
            ("tolerance", (b"{}", "t=1,v1=1", SECRET, -1)),
            ("tolerance", (b"{}", "t=1,v1=1", SECRET, math.inf)),
            ("tolerance", (b"{}", "t=1,v1=1", SECRET, "5")),
        ],
    )
    def test_nonsense_is_refused(self, parameter: str, arguments: tuple[Any, ...]) -> None:
        with pytest.raises(InvalidArgumentError, match=f"{parameter}=") as caught:
            verify(*arguments)
        assert_hidden(caught.value, SECRET)


def assert_hidden(error: TwelveTasksError, secret: str) -> None:
    """Look for a secret in the error and in the locals of every frame of the library in it."""
    shown = [str(error), repr(error), repr(vars(error)), repr(error.__context__)]
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if "/twelvetasks/" in frame.f_code.co_filename:
            shown += [repr(value) for value in frame.f_locals.values()]
    assert len(shown) > 4
    assert [text for text in shown if secret in text] == []
