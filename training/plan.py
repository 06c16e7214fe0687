"""The plan of a student: which head carries which pattern, by a recipe's names or by decisions."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from service.errors import RecipeError
from training.mining.decisions import Decisions
from training.model.config import Activation, Plan, Positions
from training.model.controls import Control
from training.model.inherited import check_layers
from training.model.patterns import Pattern, Unmatched
from training.recipe import StudentRecipe

Places = tuple[tuple[tuple[int, int], ...], ...]
"""By a student's layer and head, a layer and head of its teacher."""

_FREE = "free"
_Item = TypeVar("_Item")
_Kind = TypeVar("_Kind", Activation, Control, Pattern, Positions, Unmatched)


def read_plan(recipe: StudentRecipe) -> Plan:
    """Turn a recipe's names into the pattern of each head of each layer.

    Args:
        recipe: its `plan` has one row for all layers, or one a layer.

    Returns:
        (layers, heads) patterns, None for a free head.

    Raises:
        RecipeError: no row, a number of rows that fits neither, or an unknown name.
    """
    rows = one_for_each(recipe.plan, recipe.layers)
    if len(rows) != len(recipe.layers):
        raise RecipeError(
            f"plan: expected 1 row or {len(recipe.layers)} (one for each of layers), "
            f"got {len(rows)}"
        )
    return tuple(tuple(read_head(name, "plan") for name in row) for row in rows)


def place_patterns(
    recipe: StudentRecipe,
    accepted: Mapping[tuple[int, int], Pattern],
    heads_by_layer: Sequence[int],
) -> Plan:
    """Put each pattern into the student's head that stands for the teacher's.

    Args:
        recipe: the teacher's layers and heads that it starts from, and what the others carry.
        accepted: patterns by the teacher's layer and head; what the student does not start from
            is left out.
        heads_by_layer: how many heads each layer of the teacher has.

    Returns:
        (layers, heads) patterns, None for a free head.

    Raises:
        RecipeError: the student starts from none of the heads, or an unknown name.
        CheckpointError: the teacher has not all the layers.
    """
    undecided = read_head(recipe.undecided, "undecided")
    places = teacher_places(recipe, heads_by_layer)
    if not any(place in accepted for row in places for place in row):
        raise RecipeError(
            f"{recipe.decisions}: expected an accepted pattern in a head that the student starts "
            f"from (layers {list(recipe.layers)} of the teacher), got {len(accepted)} elsewhere; "
            "choose other layers or heads, or accept more patterns"
        )
    return tuple(tuple(accepted.get(place, undecided) for place in row) for row in places)


def teacher_places(recipe: StudentRecipe, heads_by_layer: Sequence[int]) -> Places:
    """Tell which head of the teacher each head of a student starts from.

    Args:
        recipe: the layers and heads that it starts from.
        heads_by_layer: how many heads each layer of the teacher has; where the recipe names none,
            the student starts from all of them.

    Returns:
        The teacher's layer and head by the student's; as many rows as the recipe has for both.

    Raises:
        CheckpointError: the teacher has not all the layers.
    """
    check_layers(recipe.layers, len(heads_by_layer))
    every = tuple(tuple(range(heads_by_layer[layer])) for layer in recipe.layers)
    rows = one_for_each(recipe.heads or every, recipe.layers)
    return tuple(
        tuple((layer, head) for head in row)
        for layer, row in zip(recipe.layers, rows, strict=False)
    )


def describe_placement(recipe: StudentRecipe, decisions: Decisions) -> str:
    """Tell in a line which accepted patterns the student has, and which it could not take.

    Args:
        recipe: its `decisions` are these.
        decisions: of its teacher.
    """
    rows = teacher_places(recipe, decisions.model.heads_by_layer)
    starts_from = {place for row in rows for place in row}
    told: dict[str, list[str]] = {
        "placed": [],
        "not in its layers or heads": [],
        "no head can carry": [],
    }
    for item in decisions.decisions:
        if item.is_accepted:
            if item.injectable is None:
                kind = "no head can carry"
            elif (item.layer, item.head) in starts_from:
                kind = "placed"
            else:
                kind = "not in its layers or heads"
            told[kind].append(f"{item.layer}.{item.head} {item.pattern}")
    parts = [f"{kind}: {', '.join(items)}" for kind, items in told.items() if items]
    return f"{recipe.decisions}, {'; '.join(parts)}"


def one_for_each(items: tuple[_Item, ...], layers: tuple[int, ...]) -> tuple[_Item, ...]:
    """Repeat a recipe's single item, which stands for every layer; leave several as they are."""
    return items * len(layers) if len(items) == 1 else items


def read_head(name: str, where: str) -> Pattern | None:
    """Find what a head carries by its name in a recipe; None for a free head.

    Raises:
        RecipeError: an unknown name.
    """
    return None if name == _FREE else read_name(Pattern, name, where, besides=(_FREE,))


def read_name(kind: type[_Kind], name: str, where: str, besides: tuple[str, ...] = ()) -> _Kind:
    """Find a pattern, rule or kind of position by its name in a recipe.

    Args:
        kind: what is looked for.
        name: as the recipe has it.
        where: what an error names.
        besides: other names that the caller would have taken.

    Raises:
        RecipeError: there is none of that name; says which there are.
    """
    try:
        return kind(name)
    except ValueError:
        names = [str(item) for item in kind] + list(besides)
        known = ", ".join(map(repr, names))
        raise RecipeError(f"{where}: expected one of {known}, got {name!r}") from None
