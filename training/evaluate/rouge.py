"""ROUGE of one summary against the human one, by google-research's rouge-score."""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import Tokenizer

from training.data.rouge_words import rouge_words

ScoreArray: TypeAlias = NDArray[np.float64]

METRICS: Final = ("rouge1", "rouge2", "rougeL")
_MEASURED: Final = ("rouge1", "rouge2", "rougeLsum")  # their names in rouge-score
SIGNATURE: Final = (
    f"rouge-score {version('rouge-score')} | F1 x 100 | use_stemmer=True | "
    "rougeL = rougeLsum, one sentence a line"
)


def rouge_scores(prediction_sentences: Sequence[str], reference: str) -> ScoreArray:
    """Score a summary against a reference.

    Args:
        prediction_sentences: the summary's sentences in the order of the summary; a line break
            inside one counts as a space.
        reference: the human summary, one highlight a line.

    Returns:
        (3,) float64 F1 in [0, 100]: ROUGE-1, ROUGE-2, summary-level ROUGE-L.

    Source:
        Lin 2004. rougeLsum is what published CNN/DailyMail tables call R-L (ROUGE-1.5.5 with one
        sentence a line); rougeL on the joined text is another, lower number.
    """
    prediction = "\n".join(" ".join(sentence.split()) for sentence in prediction_sentences)
    scores = _scorer().score(reference, prediction)
    f1 = [scores[name].fmeasure for name in _MEASURED]
    return 100 * np.array(f1, dtype=np.float64)


class _StemLookup(Tokenizer):  # type: ignore[misc]  # rouge-score has no types
    """Gives rouge-score its own words, from our cache of stems."""

    def tokenize(self, text: str) -> list[str]:
        return rouge_words(text)


@cache
def _scorer() -> RougeScorer:
    return RougeScorer(list(_MEASURED), tokenizer=_StemLookup())
