"""Suggestions for unknown options and commands."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import click

from twelvetasks.values.tasks import TaskStatus

_LIMIT = ("--max-items", "--top")
_FORMATS = {
    name: (f"--format {name}",) for name in ("table", "jsonl", "csv", "ids", "parquet", "chart")
}

MEANT_OPTIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("--limit", "--max", "--count", "--first", "--head", "-L", "-l"), _LIMIT),
    **dict.fromkeys(("--sort", "--order-by"), ("--sort-by or --sort-option",)),
    **dict.fromkeys(("--oldest-first", "--ascending"), ("--sort-option asc",)),
    **dict.fromkeys(("--order", "--asc", "--desc", "--reverse"), ("--sort-option",)),
    **dict.fromkeys(("--fields", "--select"), ("--columns",)),
    **{f"--{name}": meant for name, meant in _FORMATS.items()},
    **{f"--{status}": (f"--status {status}",) for status in TaskStatus},
    "--json": ("--format json", "--format jsonl"),
    **dict.fromkeys(("--output-format", "-f"), ("--format",)),
    **dict.fromkeys(("--out", "--file", "--output", "-o"), ("--output", "--html")),
    **dict.fromkeys(("--verbose", "--stats"), ("--report",)),
    **dict.fromkeys(("--quiet", "--silent"), ("--no-progress",)),
    **dict.fromkeys(("--index", "--index_id"), ("--index-id",)),
    **dict.fromkeys(("--force", "--confirm", "-y"), ("--yes",)),
    **dict.fromkeys(("--since", "--after", "--newer-than"), ("--since", "--updated-since")),
    **dict.fromkeys(("--before", "--older-than"), ("--until",)),
    "--interval": ("--min-interval",),
}
"""Options of other commands that users try, and their names here, the likeliest first."""

MEANT_COMMANDS = {
    **dict.fromkeys(("show", "view", "describe", "retrieve"), "get"),
    **dict.fromkeys(("rm", "remove"), "delete"),
    **dict.fromkeys(("upload", "add", "new"), "create"),
    **dict.fromkeys(("tail", "follow"), "watch"),
    **dict.fromkeys(("ls", "tasks"), "list"),
    "statistics": "stats",
    "version": "--version",
    "help": "-h",
}
"""Commands of other programs that users try, and what they are called here."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint that ends with a space; empty if no known word is similar."""
    close = get_close_matches(word, list(known), n=1)
    return f"Did you mean {close[0]}? " if close else ""


def meant_option(name: str, ctx: click.Context) -> str:
    """Return a hint for an unknown option; empty if there is none."""
    if isinstance(ctx.command, click.Group):
        places = [one for one, command in ctx.command.commands.items() if _takes(command, name)]
        if places:
            return f"It goes after a command: {ctx.command_path} {places[0]} {name}"
    known = [*MEANT_OPTIONS, *(flag for flags in _flags(ctx.command).values() for flag in flags)]
    close = [name] if name in MEANT_OPTIONS else get_close_matches(name, known, cutoff=0.7)
    meant = (one for like in close for one in MEANT_OPTIONS.get(like, (like,)))
    fits = [one for one in meant if all(_takes(ctx.command, each) for each in one.split(" or "))]
    return f"Did you mean {fits[0]}?" if fits else ""


def _takes(command: click.Command, meant: str) -> bool:
    """Return whether a command has an option, and takes the value that goes with it."""
    flag, _, value = meant.partition(" ")
    for option, flags in _flags(command).items():
        if flag in flags:
            return not value or value in getattr(option.type, "choices", (value,))
    return False


def _flags(command: click.Command) -> dict[click.Option, list[str]]:
    """Return the options that the help shows."""
    return {
        option: [*option.opts, *option.secondary_opts]
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
    }
