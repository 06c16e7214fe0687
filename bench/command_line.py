"""The command line of a benchmark: what a report tells of it, and how it ends when it fails."""

import shlex
from collections.abc import Sequence
from pathlib import PurePath

import click

from service.errors import PatsumError

_LEFT_OUT = ("--api-key", "--json", "--html", "--svg")
_PATHS = ("--data", "--bundle", "--compare", "--encoder")


def record_command(program: Sequence[str], arguments: Sequence[str]) -> str:
    """Write down a command for a report, without what a report must not or need not say.

    The key must not be told; where a report is written does not change what it says; of a path
    the name says what was measured, the folders only whose machine it was.

    Args:
        program: how the program is called.
        arguments: of the process, behind its name; the first may be the name of the subcommand.
    """
    if arguments and arguments[0] == program[-1]:
        arguments = arguments[1:]
    kept, option = [], ""
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if option in _PATHS:
            kept.append(_name(argument))
        elif name in _PATHS and equals:
            kept.append(f"{name}={_name(value)}")
        elif option not in _LEFT_OUT and name not in _LEFT_OUT:
            kept.append(argument)
        option = "" if option in (*_PATHS, *_LEFT_OUT) else argument
    return shlex.join([*program, *kept])


def _name(path: str) -> str:
    return PurePath(path).name or path


def run_command(command: click.Command, name: str) -> None:
    """Run a command; what a user or the world can cause ends in one line and exit code 2."""
    try:
        command.main(prog_name=name)
    except PatsumError as error:
        click.echo(f"patsum: error: {' '.join(str(error).split())}", err=True)
        raise SystemExit(2) from None
