"""The environment variable that shows what a session logs, without any other code.

All of twelvetasks logs to one logger, ``twelvetasks``: each attempt of a request at DEBUG, retries
at INFO, what a user should know at WARNING.
"""

from __future__ import annotations

import logging
import os

from twelvetasks.values.checks import refuse

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
