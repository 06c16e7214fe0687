"""Which of the offered media types the client takes: the Accept header, weighed."""

from collections.abc import Sequence

from service.api.problems import ProblemError, ProblemKind

JSON = "application/json"
NDJSON = "application/x-ndjson"


def choose_media_type(accept: Sequence[str], offered: Sequence[str]) -> str:
    """Choose the offered media type that the client likes best.

    Args:
        accept: values of the Accept headers; none means anything.
        offered: media types, ours the preferred first; of equal wishes the first one wins.

    Returns:
        One of those offered.

    Raises:
        ProblemError: 406, none of them is taken.

    Source:
        RFC 9110, section 12.5.1: the most specific range decides about a type.
    """
    ranges = [part for value in accept for part in value.split(",") if part.strip()]
    if not ranges:
        return offered[0]
    qualities = dict(map(_media_range, ranges))
    wishes = [_quality_of(media_type, qualities) for media_type in offered]
    best = max(wishes)
    if best <= 0:
        names = " or ".join(offered)
        raise ProblemError(
            ProblemKind.NOT_ACCEPTABLE,
            f"expected an Accept header that takes {names}, got one that does not; "
            f"send `Accept: {offered[0]}`",
        )
    return offered[wishes.index(best)]


def _quality_of(media_type: str, qualities: dict[str, float]) -> float:
    for name in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if name in qualities:
            return qualities[name]
    return 0.0


def _media_range(part: str) -> tuple[str, float]:
    name, *parameters = (item.strip().lower() for item in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0
