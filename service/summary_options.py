"""The options that say how to summarize: the same for one file and for millions of rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from service.api.settings import ENV_PREFIX

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

bundle_option = click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    envvar=f"{ENV_PREFIX}BUNDLE",
    show_envvar=True,
    help="Bundle folder with the model; without it, the embedded one.",
)

_OPTIONS = (
    click.option(
        "--sentences",
        type=click.IntRange(1),
        help="Sentences to choose.  [default: as many as `patsum info` says]",
    ),
    click.option(
        "--ratio",
        type=click.FloatRange(0, 1, min_open=True),
        help="Share of the sentences to choose.",
    ),
    click.option("--max-characters", type=click.IntRange(1), help="Most characters to choose."),
    click.option(
        "--order",
        type=click.Choice(["offset", "rank"], case_sensitive=False),
        default="offset",
        show_default=True,
        help="As in the text, or best first.",
    ),
    click.option("--explain", is_flag=True, help="Also say why each sentence was chosen."),
    click.option(
        "--explain-method",
        type=click.Choice(["attention", "occlusion"]),
        help="Where reasons come from; implies --explain.  [default: attention]",
    ),
)


def summary_options(command: Decorated) -> Decorated:
    """Give a command the options for what to choose, in which order, and with which reasons."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_length_rules(*rules: object) -> None:
    """Check that at most one length rule was given.

    Raises:
        click.UsageError: several were.
    """
    if sum(rule is not None for rule in rules) > 1:
        raise click.UsageError(
            "--sentences, --ratio and --max-characters exclude each other; give one of them"
        )
