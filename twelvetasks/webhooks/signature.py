"""Verify that the platform signed a request: the ``TL-Signature`` header over the raw body.

Pure. The signature covers the bytes as they arrived: JSON that is decoded and encoded again may be
other bytes. The time of signing is trusted only after the signature is verified.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

from twelvetasks.values.checks import check_seconds, refuse
from twelvetasks.values.errors import Refusal, WebhookError
from twelvetasks.values.secret import Secret

TOLERANCE = 300.0
"""Seconds; what the platform's documentation suggests."""

_TIMESTAMP = re.compile(r"[0-9]{1,15}")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_BLANKS = " \t"


def verify(
    body: bytes,
    signature_header: str | None,
    secret: str | Iterable[str],
    tolerance: float = TOLERANCE,
    *,
    clock: Callable[[], float] = time.time,
) -> int:
    """Check that the platform signed this body recently, and return the time of signing.

    `body`: the bytes as they arrived. `signature_header`: the request's ``TL-Signature``, or None
    if it has none; of several signatures in it one must be right, and schemes other than ``v1`` are
    ignored. `secret`: the webhook's secret, or several while it is being changed. `tolerance`: how
    many seconds the time of signing may differ from now, in either direction. `clock`: returns the
    seconds since 1970. The time of signing is returned in whole seconds since 1970.

    Signatures are compared in constant time. It keeps no state: to refuse replays within the
    tolerance, use a `Receiver`.

    Raises WebhookError, with its `refusal`, if the request is not verified, InvalidArgumentError
    for a bad argument. Neither shows the secret. Source: the platform's guide, "Webhooks".
    """
    # Rebound before anything is refused: a traceback that shows locals must not show the secret.
    secret, fault = read_secrets(secret)
    if fault:
        refuse("secret", Secret(), fault)
    if not isinstance(body, bytes):
        refuse("body", type(body), "must be the bytes as they arrived")
    check_seconds("tolerance", tolerance)
    timestamp, signatures = _read(signature_header)
    if not _is_signed(body, timestamp, signatures, secret):
        raise _forged()
    signed_at = int(timestamp)
    age = clock() - signed_at
    # Written so that a clock that returns NaN lets no request pass.
    if not -tolerance <= age <= tolerance:
        raise WebhookError(
            f"the request was signed {age:.0f} seconds ago, which is not within {tolerance:g}",
            refusal=Refusal.STALE,
            advice="If the platform sent it, check this machine's clock",
        )
    return signed_at


def check_header(signature_header: str | None) -> None:
    """Refuse a header that is missing, or that no body can match for its form.

    Raises WebhookError, as `verify` does, but needs no body.
    """
    _, signatures = _read(signature_header)
    if not any(map(_SIGNATURE.fullmatch, signatures)):
        raise _forged()


def read_secrets(given: Any) -> tuple[tuple[Secret, ...], str]:
    """Return the secrets, or what is wrong with them, in words that do not show them."""
    if isinstance(given, tuple) and given and all(type(one) is Secret for one in given):
        return given, ""
    if isinstance(given, str):
        given = (given,)
    if isinstance(given, (bytes, bytearray)) or not isinstance(given, Iterable):
        return (), f"must be a string, or several, not {type(given).__name__}"
    secrets = list(given)
    for one in secrets:
        if not isinstance(one, str):
            return (), f"must be a string, or several, not {type(one).__name__}"
        if not one or one != one.strip():
            return (), "must not be empty, or begin or end with blanks"
        if not one.isprintable():
            return (), "must be text that can be printed"
    if not secrets:
        return (), "must not be empty: without a secret, nothing can be verified"
    return tuple(map(Secret, secrets)), ""


def _forged() -> WebhookError:
    return WebhookError(
        "none of the request's signatures matches",
        refusal=Refusal.FORGED,
        advice="If the platform sent it, check the secret, and pass the body unchanged",
    )


def _read(header: str | None) -> tuple[str, list[str]]:
    if header is None:
        raise WebhookError("the request has no header TL-Signature", refusal=Refusal.UNSIGNED)
    if not isinstance(header, str):
        refuse("signature_header", type(header), "must be a string, or None")
    times: list[str] = []
    signatures: list[str] = []
    for item in header.split(","):
        name, _, value = item.strip(_BLANKS).partition("=")
        if name == "t":
            times.append(value)
        elif name == "v1":
            signatures.append(value)
    if len(times) != 1 or not _TIMESTAMP.fullmatch(times[0]) or not signatures:
        raise WebhookError(
            "the request's TL-Signature is not t=<seconds since 1970>,v1=<signature>",
            refusal=Refusal.MALFORMED_SIGNATURE,
        )
    return times[0], signatures


def _is_signed(
    body: bytes, timestamp: str, signatures: Iterable[str], secrets: Iterable[Secret]
) -> bool:
    signed = f"{timestamp}.".encode() + body
    given = [signature.encode(errors="surrogatepass") for signature in signatures]
    is_signed = False
    for secret in secrets:
        right = hmac.digest(secret.encode(), signed, "sha256").hex().encode()
        for signature in given:
            is_signed |= hmac.compare_digest(right, signature)
    return is_signed
