"""RFC 3339 times as whole microseconds since 1970, the one form in which the account compares them.

Tasks carry times with none, two, three or six fraction digits and with `Z` or an offset, so their
texts must never be compared.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Return `moment` (UTC where it is naive) as microseconds since 1970."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND


def parsed(text: str) -> int | None:
    """Return the instant in an RFC 3339 text, None if it is not one."""
    try:
        return microseconds(datetime.fromisoformat(text))
    except ValueError:
        return None


def written(moment: datetime) -> str:
    """Return `moment` as the platform writes it."""
    if not isinstance(moment, datetime):
        raise TypeError(f"{moment!r} has no place in JSON")
    return rfc3339(microseconds(moment))


def rfc3339(instant: int) -> str:
    """Return microseconds since 1970 as the platform writes them: three fraction digits and `Z`."""
    moment = _EPOCH + timedelta(microseconds=instant)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
