"""Articles by a small grammar, of words that the tiny tokenizer knows.

What the mayor does is what a summary tells: a model can learn that much in a moment.
"""

import json
import random

TOLD = "mayor"
SUBJECTS = ("bridge", "city", "council", "ferry", "harbour", "market", "minister", "money")
OBJECTS = ("rain", "report", "river", "road", "school", "storm", "train", "vote", "water", "wind")
VERBS = ("was", "had", "made", "did", "would like", "will be", "could have", "has been", "may do")
PLACES = ("at", "before", "by", "down", "for", "from", "in", "on", "over", "to", "with")


def tiny_articles(n, seed):
    """Make articles as rows of a data file; two sentences of each are its summary."""
    generator = random.Random(seed)
    for number in range(n):
        sentences = [
            _make_sentence(generator, generator.choice(SUBJECTS))
            for _ in range(generator.randint(5, 9))
        ]
        told = sorted(generator.sample(range(len(sentences)), 2))
        for place in told:
            sentences[place] = _make_sentence(generator, TOLD)
        yield {
            "id": f"tiny-{seed}-{number}",
            "article": " ".join(sentences),
            "summary": "\n".join(sentences[i] for i in told),
        }


def write_tiny_articles(path, n, seed):
    """Write articles as JSON lines."""
    lines = [json.dumps(row) + "\n" for row in tiny_articles(n, seed)]
    path.write_text("".join(lines), encoding="utf-8")


def _make_sentence(generator, subject):
    words = [generator.choice(("The", "One", "This")), subject]
    words += [generator.choice(VERBS), "the", generator.choice(OBJECTS)]
    if generator.random() < 0.7:
        words += [generator.choice(PLACES), "the", generator.choice(SUBJECTS)]
    return " ".join(words) + "."
