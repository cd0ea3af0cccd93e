"""Where the command finds the API key: the environment, or whoever sits at the terminal."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout

import click

from twelvetasks.cli.terminal import is_terminal
from twelvetasks.session import API_KEY_VARIABLE
from twelvetasks.values.secret import ApiKey


def asked_key() -> ApiKey | None:
    """Ask for a key, unseen, if there is none and somebody to ask; None leaves it to the session.

    It is asked for before anything else is done, and kept nowhere.
    """
    if os.environ.get(API_KEY_VARIABLE):
        return None
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        return None
    with redirect_stdout(sys.stderr):
        return ApiKey(click.prompt("TwelveLabs API key", hide_input=True, err=True).strip())
