"""The words that ROUGE compares: lower-cased, alphanumeric, stemmed.

The same words as rouge-score's own tokenizer gives, some ten times faster, because a stem is
looked up when the word has been seen before.
"""

import re
from functools import cache, lru_cache

from nltk.stem.porter import PorterStemmer

_WORD = re.compile(r"[a-z0-9]+")
_SHORTEST_STEMMED_WORD = 4


def rouge_words(text: str) -> list[str]:
    """Cut a text into stemmed words.

    Args:
        text: any text; line breaks are treated as spaces.

    Returns:
        Its runs of a-z and 0-9, lower-cased, Porter-stemmed when longer than three characters.

    Source:
        rouge_score.tokenize of google-research's rouge-score, with use_stemmer=True.
    """
    return [_stem(word) for word in _WORD.findall(text.lower())]


@lru_cache(maxsize=1 << 17)
def _stem(word: str) -> str:
    return word if len(word) < _SHORTEST_STEMMED_WORD else str(_stemmer().stem(word))


@cache
def _stemmer() -> PorterStemmer:
    return PorterStemmer()
