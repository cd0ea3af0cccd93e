"""Why a webhook is refused: the HTTP status of the response to each `Refusal`.

Only a status of 5xx asks the platform to retry.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from twelvetasks.values.errors import Refusal, WebhookError

ANSWERS: Mapping[Refusal, HTTPStatus] = {
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
"""The HTTP status of the response to each refusal."""


def refused(refusal: Refusal, reason: str, *, advice: str = "") -> WebhookError:
    """Return the error for a refused webhook."""
    return WebhookError(reason, refusal=refusal, advice=advice)
