"""How a subcommand is declared: cloup's commands, with variables, examples, and no key.

An option may be set by a profile, or by an environment variable, which `Option` names after the
command and the flag. Click's own `auto_envvar_prefix` would let TWELVETASKS_VERSION print the
version.
"""

from __future__ import annotations

import functools
import inspect
import os
import textwrap
from collections.abc import Callable
from typing import Any

import click
import cloup
from click.core import ParameterSource

from twelvetasks.cli.profiles import Profile
from twelvetasks.session import API_KEY_VARIABLE

Decorator = Callable[[Any], Any]
"""What adds options to a command."""

PREFIX = "TWELVETASKS"


class Option(cloup.Option):
    """An option that an environment variable can set.

    The variable is TWELVETASKS_LIST_FORMAT for the `--format` of `list`. An option that is the same
    in `every` command has TWELVETASKS_CONCURRENCY as well, and a profile can set it, too, which
    comes before a variable.
    """

    def __init__(self, *args: Any, every: bool = False, flag_only: bool = False, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._every = every
        self._flag_only = flag_only

    @property
    def flag(self) -> str:
        """The long spelling, which messages use."""
        return max(self.opts, key=len)

    @property
    def setting(self) -> str:
        """The name in a profile; empty for an option that is not the same in every command."""
        return self._key if self._every else ""

    @property
    def _key(self) -> str:
        return self.flag.removeprefix("--").replace("-", "_")

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return what the profile says, else the first variable that is set and not empty."""
        return self._found(ctx)[0]

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Name the profile or the variable instead of the flag if the value came from there."""
        if ctx and ctx.get_parameter_source(self.name or "") is ParameterSource.ENVIRONMENT:
            return self._found(ctx)[1]
        return str(super().get_error_hint(ctx))

    def _found(self, ctx: click.Context) -> tuple[str | None, str]:
        """Return the value that is set elsewhere, and say where."""
        profile: Profile | None = ctx.meta.get(PROFILE)
        if profile is not None and (said := profile.settings.get(self.setting)):
            return said, f"{self.setting} in the profile {profile.name!r}"
        names = [] if self._flag_only else [f"{ctx.info_name}_{self._key}"]
        if names and self._every:
            names.append(str(self.name))
        for name in names:
            variable = f"{PREFIX}_{name.upper()}"
            if value := os.environ.get(variable):
                return value, variable
        return None, ""


PROFILE = f"{__name__}.profile"
"""Where a context keeps its profile."""


def option(*names: str, **settings: Any) -> Decorator:
    """Declare an option, such as `-n`, `--max-items N`: its flags, with the name of its value.

    `flag_only` is for what no environment variable may decide.
    """
    split = [name.partition(" ") if name.startswith("-") else (name, "", "") for name in names]
    metavar = "".join(value for *_, value in split) or None
    settings = {"metavar": metavar, "show_default": "default" in settings, **settings}
    return cloup.option(*(flag for flag, *_ in split), cls=Option, **settings)


def combined(*options: Decorator) -> Decorator:
    """Make one decorator of several options, which `--help` shows in this order."""
    return lambda command: functools.reduce(lambda made, add: add(made), options[::-1], command)


def _refuse_key(_: click.Context, __: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise click.UsageError(
            "The API key is never an argument, because other users of this machine could read it. "
            f"Set the environment variable {API_KEY_VARIABLE}, or let the command ask for it in a "
            "terminal; replace a key that has been shown"
        )


refuse_key: Decorator = click.option(
    *("--api-key", "--key", "--token"),
    is_flag=False,
    flag_value="",
    hidden=True,
    is_eager=True,
    expose_value=False,
    callback=_refuse_key,
)
"""Refuses the key as an argument, where others could read it."""


def command(name: str, *, examples: str) -> Callable[[Callable[..., Any]], cloup.Command]:
    """Make a function a command with examples: lines to type, and below each what it does."""
    # Click does not wrap a paragraph below \b, so that lines can be copied.
    shown = f"\b\nExamples:\n{textwrap.indent(inspect.cleandoc(examples), '  ')}"
    return lambda function: cloup.command(name, epilog=shown)(refuse_key(function))
