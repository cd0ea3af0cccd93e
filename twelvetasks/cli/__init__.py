"""The `twelvetasks` command (extra `cli`): cloup and click for its options, rich for colours.

It is a user of the library like any other. Results go to stdout, everything else to stderr: a table
if stdout is a terminal, else JSON Lines. Each subcommand is a file in `commands`, and `program`
puts them together. This file imports nothing, because `exit_codes` needs no extra.
"""
