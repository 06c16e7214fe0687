"""The drawing of the errors shows every one of them, in its place."""

import service.bulk.row
import service.client  # noqa: F401  # for its errors
from service import errors


def subtree(kind, depth=0):
    """Give name and depth of a class and of all below it, as far as they are the service's."""
    if kind.__module__.startswith("service."):
        yield kind.__name__, depth
        for below in kind.__subclasses__():
            yield from subtree(below, depth + 1)


def test_drawing_shows_every_error_below_its_parent():
    drawn = {}
    for line in errors.__doc__.splitlines():
        words = line.strip("│├└─ ").split()
        if words and words[0].endswith("Error"):
            drawn[words[0]] = len(line[4 : line.index(words[0])]) // 4
    assert drawn == dict(subtree(errors.PatsumError))
