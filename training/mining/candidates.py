"""The library of candidate predicates: what heads of BERT-like models have been seen to look at.

A person confirms or rejects what is scored here; what is missing, they write themselves.

Source:
    Li et al., arXiv:2112.05364 (matching, intra-sentence, positional); Clark et al.,
    arXiv:1906.04341 ([CLS], [SEP], punctuation, offsets). Their refinements are ours.
"""

from typing import Final

from training.mining.predicates import Predicate, parse

PAPER: Final = ("same_token", "same_sentence", "previous", "next")
"""The paper's patterns: matching token, intra-sentence, and the two positional ones."""

LIBRARY: Final = (
    *PAPER,
    # Matching, taken apart.
    "same_token and not same_sentence",
    "same_token and (word or number)",
    "same_token and stopword",
    "same_token and punctuation",
    "same_token and (cls or sep)",
    "same_token and not both_cls",
    "both_cls and not self",
    # The sentence, taken apart.
    "same_sentence and cls",
    "same_sentence and sep",
    "same_sentence and punctuation",
    "same_sentence and not (cls or sep or punctuation)",
    # Places.
    "self",
    "previous or next",
    "offset(-2)",
    "offset(2)",
    "offset(-3)",
    "offset(3)",
    "(offset(-2) or previous or next or offset(2)) and same_sentence",
    # Kinds of tokens.
    "cls",
    "sep",
    "punctuation",
    "number",
    "stopword",
    "word",
    "cls or sep or punctuation",
    "same_class and not self",
    "same_class and word and not (same_token or self)",
    # The beginning of the document.
    "lead(1)",
    "lead(3)",
    "lead(3) and not same_sentence",
    "lead(1) and cls",
)
"""Texts of all candidates, the paper's first."""


def candidate_predicates(
    more: tuple[str, ...] = (), *, has_library: bool = True
) -> list[Predicate]:
    """Parse the library and what a person adds to it.

    Args:
        more: texts of further predicates.
        has_library: False for those of the person alone.

    Returns:
        The predicates, each once, the library's first.

    Raises:
        PredicateError: one of `more` does not follow the grammar.
    """
    texts = (*(LIBRARY if has_library else ()), *more)
    return list(dict.fromkeys(map(parse, texts)))
