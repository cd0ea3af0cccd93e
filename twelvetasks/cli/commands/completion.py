"""`completion`: the script that lets a shell complete the command. Click generates it."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from twelvetasks.cli.command import command

SHELLS = ("bash", "zsh", "fish")


@command(
    "completion",
    examples="""
        eval "$(twelvetasks completion bash)"
          For this bash; in ~/.bashrc, for all.
        eval "$(twelvetasks completion zsh)"
          The same for zsh, in ~/.zshrc after compinit.
        twelvetasks completion fish > ~/.config/fish/completions/twelvetasks.fish
          For every fish.
    """,
)
@click.argument("shell", metavar="SHELL", type=click.Choice(SHELLS))
@click.pass_context
def print_completion(context: click.Context, shell: str) -> None:
    """Print the script with which a SHELL completes the command.

    Supported are bash (4.4 or newer), zsh and fish.
    """
    program = context.find_root()
    kind = get_completion_class(shell)
    if kind is None or program.info_name is None:
        raise AssertionError("click knows these shells")
    name = program.info_name
    made = kind(program.command, {}, name, f"_{name}_COMPLETE".upper())
    click.echo(made.source())
