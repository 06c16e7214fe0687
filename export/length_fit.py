"""The fit of the default length: weights by least squares, and what they gain on other articles."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from service.errors import DataError
from service.inference.summarizer import Summarizer
from service.text.adaptive_length import (
    FEATURES,
    AdaptiveLength,
    Features,
    measure_candidates,
    rank_sentences,
)
from service.text.select import Redundancy
from training.data.articles import Article
from training.evaluate.report import Intervals, Provenance
from training.evaluate.rouge import METRICS, SIGNATURE, rouge_scores
from training.evaluate.significance import Interval, paired_differences

ScoreArray: TypeAlias = NDArray[np.float64]

_DECIMALS: Final = 3
_MIN_DOCUMENTS: Final = 20


@dataclass(frozen=True)
class MeasuredDocument:
    """The candidates of one document, each with what it was worth.

    Attributes:
        features: by the number of sentences, as `measure_candidates` gives them.
        rouge: likewise; (3,) float64 ROUGE-1, ROUGE-2, ROUGE-L F1 in [0, 100].
    """

    features: Mapping[int, Features]
    rouge: Mapping[int, ScoreArray]

    @property
    def three(self) -> ScoreArray:
        """(3,) ROUGE of three sentences, or of all that can be chosen where they are fewer."""
        return self.rouge[max(n for n in self.rouge if n <= 3)]


@dataclass(frozen=True)
class LengthFit:
    """Fitted weights, and what they are worth.

    Attributes:
        weights: fitted on all documents, for the bundle.
        gain: ROUGE-1, ROUGE-2, ROUGE-L over always three sentences, with 95 % intervals, paired
            over documents; each half of them was chosen by weights fitted on the other half.
        in_sample_gain: of `weights` on the documents that they were fitted on: flattering.
        three: mean ROUGE-1, ROUGE-2, ROUGE-L of always three sentences.
        counts: how many documents got each number of sentences, under the weights of the other
            half.
        n: documents.
        provenance: fitted for what, on what.
        n_resamples: draws of the bootstrap.
        seed: of the halves and of the draws.
    """

    weights: Mapping[str, float]
    gain: Intervals
    in_sample_gain: Intervals
    three: tuple[float, float, float]
    counts: Mapping[int, int]
    n: int
    provenance: Provenance
    n_resamples: int
    seed: int

    @property
    def is_gain(self) -> bool:
        """Whether the interval of the gain in ROUGE-1 lies above 0."""
        return self.gain[0].low > 0

    def to_manifest(self) -> dict[str, Any]:
        """Return the `default_length` of a bundle's manifest."""
        return {
            "weights": dict(self.weights),
            "data": self.provenance.data,
            "n": self.n,
            "command": self.provenance.command,
            "gain": {
                name: [round(i.estimate, 4), round(i.low, 4), round(i.high, 4)]
                for name, i in zip(METRICS, self.gain, strict=True)
            },
        }

    def to_text(self) -> str:
        """Return a table for people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{'':<34}" + "".join(f"{name:<23}" for name in ("R-1", "R-2", "R-L")).rstrip()
        yield f"{'always three':<34}" + "".join(f"{x:<23.2f}" for x in self.three).rstrip()
        yield f"{'gain, fitted on the other half':<34}" + _show(self.gain)
        yield f"{'gain, in sample: do not quote':<34}" + _show(self.in_sample_gain)
        yield ""
        shares = (f"{k}: {100 * n / self.n:.0f} %" for k, n in sorted(self.counts.items()))
        yield f"sentences  {', '.join(shares)}"
        yield "weights    " + ", ".join(f"{name} {w:+g}" for name, w in self.weights.items())
        yield f"model      {self.provenance.model}"
        yield f"data       {self.provenance.data}, {self.n} documents"
        yield f"intervals  95 %, bootstrap of {self.n_resamples} draws, seed {self.seed}"
        yield f"ROUGE      {SIGNATURE}"
        yield f"command    {self.provenance.command}"


def measure_documents(
    summarizer: Summarizer,
    articles: Iterable[Article],
    *,
    n_articles: int | None = None,
    show_progress: bool = True,
) -> list[MeasuredDocument]:
    """Score articles as the service does, and measure every candidate against the human summary.

    Args:
        summarizer: over the bundle.
        articles: with human summaries.
        n_articles: how many there will be at most, for the time left; None when not known.
        show_progress: draw a bar with the time left on stderr.
    """
    bar = tqdm(articles, total=n_articles, unit=" articles", disable=not show_progress)
    return [_measure_article(summarizer, article) for article in bar]


def fit_length(
    documents: Sequence[MeasuredDocument],
    provenance: Provenance,
    *,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> LengthFit:
    """Fit the weights, and measure by cross-fitting what they gain over always three sentences.

    Args:
        documents: measured.
        provenance: fitted for what, on what.
        n_resamples: draws of the bootstrap.
        seed: of the halves and of the draws.

    Raises:
        DataError: there are fewer than 20 documents.
    """
    if len(documents) < _MIN_DOCUMENTS:
        raise DataError(
            f"expected at least {_MIN_DOCUMENTS} articles in {provenance.data}, "
            f"got {len(documents)}; some thousand make a fit that can be trusted"
        )
    weights = fit_weights(documents)
    counts = cross_fit(documents, seed)
    three = np.stack([document.three for document in documents])

    def measure_gain(chosen: Sequence[int]) -> Intervals:
        ours = np.stack([d.rouge[n] for d, n in zip(documents, chosen, strict=True)])
        rouge1, rouge2, rouge_l = paired_differences(
            ours, three, n_resamples=n_resamples, seed=seed
        )
        return rouge1, rouge2, rouge_l

    rouge1, rouge2, rouge_l = three.mean(axis=0).tolist()
    return LengthFit(
        weights=weights,
        gain=measure_gain(counts),
        in_sample_gain=measure_gain(_choose_counts(weights, documents)),
        three=(rouge1, rouge2, rouge_l),
        counts={n: counts.count(n) for n in sorted(set(counts))},
        n=len(documents),
        provenance=provenance,
        n_resamples=n_resamples,
        seed=seed,
    )


def fit_weights(documents: Sequence[MeasuredDocument]) -> dict[str, float]:
    """Fit weights so that the worth of candidates differs as their ROUGE-1 does.

    Least squares within documents: how easy a document is drops out.

    Args:
        documents: measured; those with one candidate say nothing.

    Returns:
        Three decimals, by the name of the feature.
    """
    features = np.concatenate([_centre([*d.features.values()]) for d in documents])
    rouge1 = np.concatenate([_centre([[r[0]] for r in d.rouge.values()]) for d in documents])
    solution: ScoreArray = np.linalg.lstsq(features, rouge1[:, 0], rcond=None)[0]
    weights = [round(float(weight), _DECIMALS) for weight in solution]
    return dict(zip(FEATURES, weights, strict=True))


def cross_fit(documents: Sequence[MeasuredDocument], seed: int) -> list[int]:
    """Choose for each half of the documents by weights fitted on the other half.

    Args:
        documents: measured, at least two.
        seed: of the halves.

    Returns:
        Numbers of sentences, in the order of the documents.
    """
    order = np.random.default_rng(seed).permutation(len(documents)).tolist()
    middle = len(order) // 2
    chosen: dict[int, int] = {}
    for fitted, held_out in ((order[:middle], order[middle:]), (order[middle:], order[:middle])):
        weights = fit_weights([documents[i] for i in fitted])
        counts = _choose_counts(weights, [documents[i] for i in held_out])
        chosen.update(zip(held_out, counts, strict=True))
    return [chosen[i] for i in range(len(documents))]


def _measure_article(summarizer: Summarizer, article: Article) -> MeasuredDocument:
    encoded = summarizer.bundle.encoder.encode(article.text)
    scores = summarizer.engine.score(encoded)
    sentences = [article.text[start:end] for start, end in encoded.spans]
    ranked = rank_sentences(scores, sentences, Redundancy.TRIGRAM)
    features = measure_candidates(scores, sentences, ranked)
    rouge = {
        n: rouge_scores([sentences[i] for i in sorted(ranked[:n])], article.summary)
        for n in features
    }
    return MeasuredDocument(features, rouge)


def _choose_counts(
    weights: Mapping[str, float], documents: Sequence[MeasuredDocument]
) -> list[int]:
    length = AdaptiveLength(weights)
    return [length.best(document.features) for document in documents]


def _centre(rows: Sequence[Sequence[float]]) -> ScoreArray:
    """(candidates, columns) float64 without the mean of each column."""
    array = np.array(rows, dtype=np.float64)
    array -= array.mean(axis=0)
    return array


def _show(intervals: Sequence[Interval]) -> str:
    return "".join(
        f"{f'{i.estimate:+.2f} [{i.low:+.2f}, {i.high:+.2f}]':<23}" for i in intervals
    ).rstrip()
