"""Why a webhook is refused: one word for programs and logs, and the HTTP status of the answer.

Only a status of 5xx asks the platform to try again.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus

from twelvetasks.errors import WebhookError

__all__ = ["ANSWERS", "Refusal", "refused"]


class Refusal(StrEnum):
    """Why a webhook was refused. Each member equals its string."""

    WRONG_METHOD = "wrong_method"
    """It is no POST."""
    ENCODED = "encoded"
    """It has a ``Content-Encoding``: what was signed is not what was sent."""
    OVERSIZED = "oversized"
    """Its body is larger than allowed."""
    TRUNCATED = "truncated"
    """The end of its body has not arrived: the connection was lost, or it took too long."""
    UNSIGNED = "unsigned"
    """It has no signature."""
    MALFORMED_SIGNATURE = "malformed_signature"
    """The header is no signature as the platform writes it."""
    FORGED = "forged"
    """No signature in it was made of this body, at this time, with one of the secrets."""
    STALE = "stale"
    """It was signed too long ago, or in the future."""
    MALFORMED = "malformed"
    """It is signed, but its body is no event."""
    REPLAYED = "replayed"
    """The same signed bytes, or bytes signed before them, have been handed over already."""
    BUSY = "busy"
    """Its event is being handed over just now."""
    UNHEARD = "unheard"
    """There is nobody to hand it over to."""


ANSWERS = {
    Refusal.WRONG_METHOD: HTTPStatus.METHOD_NOT_ALLOWED,
    Refusal.ENCODED: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Refusal.OVERSIZED: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Refusal.TRUNCATED: HTTPStatus.BAD_REQUEST,
    Refusal.UNSIGNED: HTTPStatus.UNAUTHORIZED,
    Refusal.MALFORMED_SIGNATURE: HTTPStatus.BAD_REQUEST,
    Refusal.FORGED: HTTPStatus.UNAUTHORIZED,
    Refusal.STALE: HTTPStatus.UNAUTHORIZED,
    Refusal.MALFORMED: HTTPStatus.BAD_REQUEST,
    Refusal.REPLAYED: HTTPStatus.CONFLICT,
    Refusal.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    Refusal.UNHEARD: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The status that each is answered with."""


def refused(refusal: Refusal, reason: str, *, advice: str = "") -> WebhookError:
    """Make the error of a refused webhook."""
    error = WebhookError(reason, advice=advice)
    error.refusal = refusal
    return error
