"""Write the man pages and the completion of the command: `nox -s shell_files` runs this.

click-man writes the pages and click the completion, from the command itself. The wheel installs
them where `man` and the shells look.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import get_completion_class
from click_man.man import ManPage

import twelvetasks
from twelvetasks.cli.exit_codes import ExitCode
from twelvetasks.cli.program import cli

SHARE = Path(twelvetasks.__file__).parent / "cli/share"
COMPLETIONS = {
    "bash": "bash-completion/completions/twelvetasks",
    "zsh": "zsh/site-functions/_twelvetasks",
    "fish": "fish/vendor_completions.d/twelvetasks.fish",
}


def pages() -> Iterator[tuple[str, str]]:
    """Give the name and the text of each page: that of the command, and one a subcommand."""
    program = click.Context(cli, info_name="twelvetasks", **cli.context_settings)
    codes = "\n".join(f".TP\n{code.value}\n{escaped(code.meaning)}" for code in ExitCode)
    yield "man/man1/twelvetasks.1", f"{page(program)}.SH EXIT STATUS\n{codes}\n"
    for name, command in cli.commands.items():
        context = click.Context(command, info_name=name, parent=program)
        examples = re.findall(r"^  (\S.*)\n((?:    .*\n?)+)", command.epilog or "", re.MULTILINE)
        shown = "".join(
            f".TP\n.B {escaped(line)}\n{escaped(' '.join(meaning.split()))}\n"
            for line, meaning in examples
        )
        yield f"man/man1/twelvetasks-{name}.1", f"{page(context)}.SH EXAMPLES\n{shown}"


def page(context: click.Context) -> str:
    """Let click-man write a page without a date or version, which would change by themselves."""
    command = context.command
    written = ManPage(context.command_path.replace(" ", "-"))
    written.version = written.date = ""
    written.short_help = escaped(first_line(command)).rstrip(".")
    written.synopsis = " ".join(command.collect_usage_pieces(context))
    written.description = escaped(inspect.cleandoc(command.help or ""))
    written.options = [
        (flags, escaped(meaning))
        for option in command.get_params(context)
        if (shown := option.get_help_record(context)) is not None
        for flags, meaning in [shown]
    ]
    if isinstance(command, click.Group):
        written.commands = [
            (name, escaped(first_line(each))) for name, each in command.commands.items()
        ]
    return str(written)


def first_line(command: click.Command) -> str:
    """Give the first line of a command's help, which says what it does."""
    return inspect.cleandoc(command.help or "").partition("\n")[0]


def escaped(text: str) -> str:
    """Keep man from reading characters of the text as its own."""
    kept = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(?=[.'])", r"\\&", kept, flags=re.MULTILINE)


def completions() -> Iterator[tuple[str, str]]:
    """Give the name and the text of the completion of each shell."""
    for shell, name in COMPLETIONS.items():
        kind = get_completion_class(shell)
        if kind is None:
            raise AssertionError("click knows these shells")
        made = kind(cli, {}, "twelvetasks", "_TWELVETASKS_COMPLETE").source()
        yield name, f"{made.strip()}\n"


if __name__ == "__main__":
    for name, text in (*pages(), *completions()):
        (SHARE / name).parent.mkdir(parents=True, exist_ok=True)
        (SHARE / name).write_text(text, "utf-8")
