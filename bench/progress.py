"""Progress: one bar for each long part of a run, on a terminal only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress(what: str, n: int) -> Iterator[Callable[[], object]]:
    """Show a bar on stderr while something is under way; nothing where stderr is no terminal.

    Args:
        what: the part's name.
        n: steps.

    Yields:
        A function to call after each step.
    """
    with tqdm(total=n, desc=what, unit="", leave=False, disable=None) as bar:
        yield bar.update
