"""Articles by a small grammar, of words that the tiny tokenizer knows; two sentences make the summary."""

import json
import random

NOUNS = (
    "bridge city council ferry harbour market mayor minister money rain report river road school "
    "storm train vote water wind year"
).split()
VERBS = "was had made did would will|be will|like could|have has|been may|do".split()
PLACES = "at before by down for from in on over to with".split()


def tiny_articles(n, seed):
    """Make articles, the same ones for the same seed, as rows of a data file."""
    generator = random.Random(seed)
    for number in range(n):
        sentences = [_make_sentence(generator) for _ in range(generator.randint(5, 9))]
        told = sorted(generator.sample(range(len(sentences)), 2))
        yield {
            "id": f"tiny-{seed}-{number}",
            "article": " ".join(sentences),
            "summary": "\n".join(sentences[i] for i in told),
        }


def write_tiny_articles(path, n, seed):
    """Write articles as JSON lines."""
    lines = [json.dumps(row) + "\n" for row in tiny_articles(n, seed)]
    path.write_text("".join(lines), encoding="utf-8")


def _make_sentence(generator):
    subject, other, place = generator.sample(NOUNS, 3)
    verb = generator.choice(VERBS).replace("|", " ")
    words = [generator.choice(("The", "One", "This")), subject, verb, "the", other]
    if generator.random() < 0.7:
        words += [generator.choice(PLACES), "the", place]
    return " ".join(words) + "."
