"""How many heads each layer of a model has, and so which heads there are."""

from service.errors import DataError

HeadCounts = tuple[int, ...]
"""By layer."""


def describe_heads(counts: HeadCounts) -> str:
    """Name the shape in a few words."""
    if len(set(counts)) == 1:
        return f"{len(counts)} layers x {counts[0]} heads"
    return f"{len(counts)} layers with {', '.join(map(str, counts))} heads"


def check_head(counts: HeadCounts, layer: int, head: int, where: str = "") -> None:
    """Check that there is such a head.

    Args:
        counts: heads of each layer.
        layer: any number.
        head: any number.
        where: what the message begins with.

    Raises:
        DataError: there is none.
    """
    if 0 <= layer < len(counts) and 0 <= head < counts[layer]:
        return
    raise DataError(
        f"{where}expected a head of {describe_heads(counts)}, got layer {layer}, head {head}"
    )
