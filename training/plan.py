"""The plan of a student as a recipe writes it: which head carries which pattern, by name."""

from typing import TypeVar

from service.errors import RecipeError
from training.model.config import Activation, Plan, Positions
from training.model.patterns import Pattern, Unmatched
from training.recipe import StudentRecipe

_FREE = "free"
_Kind = TypeVar("_Kind", Activation, Pattern, Positions, Unmatched)


def read_plan(recipe: StudentRecipe) -> Plan:
    """Turn a recipe's names into the pattern of each head of each layer.

    Args:
        recipe: its `plan` has one row for all layers, or one a layer.

    Returns:
        (layers, heads) patterns, None for a free head.

    Raises:
        RecipeError: no row, a number of rows that fits neither, or an unknown name.
    """
    rows = recipe.plan
    if len(rows) == 1:
        rows = rows * len(recipe.layers)
    if len(rows) != len(recipe.layers):
        raise RecipeError(
            f"plan: expected 1 row or {len(recipe.layers)} (one for each of layers), "
            f"got {len(rows)}"
        )
    return tuple(
        tuple(None if name == _FREE else read_name(Pattern, name, "plan") for name in row)
        for row in rows
    )


def read_name(kind: type[_Kind], name: str, where: str) -> _Kind:
    """Find a pattern, rule or kind of position by its name in a recipe.

    Raises:
        RecipeError: there is none of that name; says which there are.
    """
    try:
        return kind(name)
    except ValueError:
        known = ", ".join(repr(str(item)) for item in kind)
        raise RecipeError(f"{where}: expected one of {known}, got {name!r}") from None
