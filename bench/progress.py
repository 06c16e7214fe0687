"""Progress on stderr: a bar for each long part of a run, and a line when it is done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

import click
from tqdm import tqdm


@contextmanager
def progress(what: str, n: int) -> Iterator[Callable[[], object]]:
    """Show how far something is: a bar on a terminal, and everywhere a line when it is done.

    Args:
        what: the part's name.
        n: steps.

    Yields:
        A function to call after each step.
    """
    started_s = perf_counter()
    with tqdm(total=n, desc=what, unit="", leave=False, disable=None) as bar:
        yield bar.update
    if n:
        click.echo(f"{what}: {n} in {perf_counter() - started_s:.1f} s", err=True)
