"""Click's commands and options with what it lacks: groups, examples, variables, no key.

An option may be set by an environment variable, which `Option` names after the command and the
flag. Click's own `auto_envvar_prefix` would let TWELVETASKS_VERSION print the version.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

import click
from click.core import ParameterSource

from twelvetasks.session import API_KEY_VARIABLE

F = TypeVar("F", bound=Callable[..., Any])

Decorator = Callable[[Any], Any]
"""What adds options to a command."""

PREFIX = "TWELVETASKS"


class Option(click.Option):
    """An option in a group of the help, which a variable can set.

    The variable is TWELVETASKS_LIST_FORMAT for the `--format` of `list`. What means the same in
    `every` command has TWELVETASKS_CONCURRENCY as well.
    """

    def __init__(self, *args: Any, group: str | None = None, every: bool = False, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.group = group
        self._every = every

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Give what the variable says, if there is one that says something."""
        return next(filter(None, map(os.environ.get, self._variables(ctx))), None)

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Name the variable rather than the flag where it was the variable that said it."""
        if (
            ctx is not None
            and ctx.get_parameter_source(self.name or "") is ParameterSource.ENVIRONMENT
        ):
            return next(filter(os.environ.get, self._variables(ctx)))
        return str(super().get_error_hint(ctx))

    def _variables(self, ctx: click.Context) -> list[str]:
        flag = self.opts[0].removeprefix("--").replace("-", "_")
        names = [f"{ctx.info_name}_{flag}"]
        if self._every:
            names.append(str(self.name))
        return [f"{PREFIX}_{name.upper()}" for name in names]


option: Callable[..., Decorator] = functools.partial(click.option, cls=Option)
"""`click.option`, with a `group` of the help."""


def combined(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Make one decorator of several options, which `--help` shows in this order."""

    def decorate(command: F) -> F:
        return functools.reduce(lambda decorated, option: option(decorated), options[::-1], command)

    return decorate


def without_key(command: click.Command) -> None:
    """Let a command refuse the key as an argument, where others could read it."""
    flag = click.Option(
        ["--api-key", "--key", "--token"],
        is_flag=False,
        flag_value="",
        hidden=True,
        is_eager=True,
        expose_value=False,
        callback=_refuse_key,
    )
    command.params.append(flag)


def _refuse_key(_: click.Context, __: click.Parameter, value: str | None) -> None:
    if value is not None:
        _refuse()


def _refuse() -> NoReturn:
    raise click.UsageError(
        "The API key is never an argument, because others on this machine could read it there. "
        f"Set the environment variable {API_KEY_VARIABLE}, or let the command ask for it in a "
        "terminal; a key that has been shown should be replaced"
    )


class Command(click.Command):
    """A command whose help groups its options and ends in examples."""

    def __init__(self, *args: Any, examples: Sequence[tuple[str, str]] = (), **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._examples = examples
        without_key(self)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, group by group, and last those of none, such as `--help`."""
        groups: dict[str, list[tuple[str, str]]] = {}
        others: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None or isinstance(parameter, click.Argument):
                continue
            if isinstance(parameter, Option) and parameter.group is not None:
                groups.setdefault(parameter.group, []).append(record)
            else:
                others.append(record)
        for group, records in (*groups.items(), ("Options", others)):
            with formatter.section(group):
                formatter.write_dl(records)

    def format_epilog(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the examples, whose lines are never broken: they are there to be copied."""
        if self._examples:
            with formatter.section("Examples"):
                for line, meaning in self._examples:
                    indent = " " * formatter.current_indent
                    formatter.write(f"{indent}{line}\n")
                    formatter.indent()
                    formatter.write_text(meaning)
                    formatter.dedent()


def command(
    name: str, *, examples: Sequence[tuple[str, str]]
) -> Callable[[Callable[..., Any]], Command]:
    """Make a function a command with examples: each a line to type, and what it does."""
    return click.command(name, cls=Command, examples=examples)
