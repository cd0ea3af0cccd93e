"""What a session logs of its requests, and the variable that shows it without any other code.

All of twelvetasks logs to one logger, ``twelvetasks``: each attempt of a request at DEBUG, retries
at INFO, what a user should know at WARNING.
"""

from __future__ import annotations

import logging
import os

from twelvetasks.transport.messages import Answer, Outcome, Request
from twelvetasks.values.checks import refuse

__all__ = ["LOG_VARIABLE", "follow_log_variable", "log_attempt"]

LOG_VARIABLE = "TWELVETASKS_LOG"
LEVELS = ("debug", "info", "warning", "error")

_log = logging.getLogger("twelvetasks")


def follow_log_variable() -> None:
    """Set the level that the environment names, and log to stderr if nothing else is set up.

    Raises InvalidArgumentError, which names the variable, for what is no level.
    """
    if not (given := os.environ.get(LOG_VARIABLE)):
        return
    if given.lower() not in LEVELS:
        refuse(LOG_VARIABLE, given, f"must be one of {', '.join(LEVELS)}")
    level = given.upper()
    _log.setLevel(level)
    if not _log.hasHandlers():
        handler = logging.StreamHandler()
        # The command's notices read more than is shown here.
        handler.setLevel(level)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        _log.addHandler(handler)


def log_attempt(request: Request, outcome: Outcome, *, number: int, seconds: float) -> None:
    """Log one attempt: method, path, outcome, milliseconds, its number, request id."""
    if not _log.isEnabledFor(logging.DEBUG):
        return
    result = outcome.result
    what = str(result.status) if result.status is not None else "no answer"
    if not isinstance(result, Answer) and result.status is None:
        what = f"{what}: {result.reason}"
    _log.debug(
        "%s %s%s: %s in %.0f ms (attempt %d, request id %s)",
        request.method,
        request.url.raw_path,
        "" if request.page is None else f", page {request.page}",
        what,
        seconds * 1000,
        number,
        result.request_id or "none",
    )
