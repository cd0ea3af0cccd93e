"""Where the command finds the API key: an environment variable, or a hidden prompt."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout

import click

from twelvetasks.cli.terminal import is_terminal
from twelvetasks.session import API_KEY_VARIABLE
from twelvetasks.values.secret import ApiKey


def asked_key() -> ApiKey | None:
    """Ask for the key with a hidden prompt if no variable holds it and there is a terminal.

    The key is stored nowhere. None means that the session has to find the key itself.
    """
    if os.environ.get(API_KEY_VARIABLE):
        return None
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        return None
    with redirect_stdout(sys.stderr):
        return ApiKey(click.prompt("TwelveLabs API key", hide_input=True, err=True).strip())
