"""Generated articles: the same for the same seed, of given lengths, in plain news English.

People, places and things come back through an article, as they do in news, so that heads that
compare equal tokens have something to find. The text is ours; nobody's article is in it.
"""

import random
from collections.abc import Iterator

from service.errors import InputError

# fmt: off
_FIRST = (
    "Ada", "Bela", "Carl", "Dina", "Elin", "Farid", "Greta", "Henrik",
    "Iris", "Jonas", "Kari", "Liam", "Mona", "Nadia", "Omar", "Petra",
)
_LAST = (
    "Aspen", "Berg", "Castel", "Dorn", "Ekman", "Falk", "Grant",
    "Holm", "Ibsen", "Jarvis", "Keller", "Lund", "Marsh", "Novak", "Olsen",
)
_PLACE = (
    "Port Ellin", "Marsh Hill", "Kelby", "Old Harrow",
    "Saint Anne", "Westmere", "Lindau Bay", "Tarn",
)
_THING = (
    "bridge", "ferry", "harbour", "library", "market",
    "museum", "railway", "reservoir", "school", "stadium", "theatre",
)
_BODY = ("council", "ministry", "port authority", "trade union", "residents' group", "city court")
_DAY = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# fmt: on
_TEMPLATES = (
    "{name} told reporters on {day} that the {thing} in {place} would open again within {n} weeks.",
    "The {body} had asked for {n} million pounds to repair the {thing}, a third more than planned.",
    "Nobody in {place} expected the {thing} to stay closed after the storm of last January.",
    "According to {last}, the {body} knew about the cracks in the {thing} for almost {n} years.",
    "On {day} morning about {n} people waited in front of the {thing}, many of them with children.",
    '"We were told that the {thing} was safe," said {name}, who has lived in {place} for ever.',
    "{last} did not answer questions about the report, and left the meeting of the {body} early.",
    "The {body} of {place} will decide on {day} whether to pay damages to the shop owners.",
    "Engineers who examined the {thing} found that {n} of its supports had to be replaced at once.",
    "It was not the first time that {place} had to do without its {thing}.",
    "Traffic through {place} rose by {n} per cent after the {thing} was closed in the spring.",
    "Critics of {last} say that the {body} should have listened to the engineers much sooner.",
    "A spokeswoman for the {body} said that the work on the {thing} was going according to plan.",
    "Prices in {place} have fallen since, and {n} shops near the {thing} have closed.",
    "{name} hopes that the first visitors will return to the {thing} before the end of the year.",
    "The weather also played its part: for {n} days wind kept every crew away from the {thing}.",
)  # fmt: skip


def generate_articles(n: int, words: tuple[int, int], seed: int) -> list[str]:
    """Make articles.

    Args:
        n: how many, at least 1.
        words: fewest and most words of an article, cut at white space; from 1.
        seed: of everything that is drawn.

    Returns:
        The articles; each length between the two is as likely as any other.

    Raises:
        InputError: the lengths are not in order.
    """
    fewest, most = words
    if not 1 <= fewest <= most:
        raise InputError(
            f"expected lengths like 500-700, got {fewest}-{most}; give the smaller one first"
        )
    draw = random.Random(seed)
    return [_write_article(draw, draw.randint(fewest, most)) for _ in range(n)]


def _write_article(draw: random.Random, n_words: int) -> str:
    """Write sentences until there are enough words; the last sentence is cut to fit."""
    words: list[str] = []
    for sentence in _write_sentences(draw):
        words += sentence.split()
        if len(words) >= n_words:
            break
    text = " ".join(words[:n_words])
    return text if text[-1] in '."' else text.rstrip(",:") + "."


def _write_sentences(draw: random.Random) -> Iterator[str]:
    people = [(draw.choice(_FIRST), last) for last in draw.sample(_LAST, 3)]
    place, thing = draw.choice(_PLACE), draw.choice(_THING)
    bodies = draw.sample(_BODY, 2)
    while True:
        for template in draw.sample(_TEMPLATES, len(_TEMPLATES)):
            first, last = draw.choice(people)
            yield template.format(
                name=f"{first} {last}",
                last=last,
                place=place if draw.random() < 0.8 else draw.choice(_PLACE),
                thing=thing if draw.random() < 0.8 else draw.choice(_THING),
                body=draw.choice(bodies),
                day=draw.choice(_DAY),
                n=draw.randint(2, 40),
            )
