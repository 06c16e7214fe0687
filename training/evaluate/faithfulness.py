"""Faithfulness: does a score depend on the sentences that the explanation points at?

For a chosen sentence, the evidence is the k other sentences that the model looks at most. Remove
them: a faithful explanation makes the score drop (comprehensiveness). Keep nothing but them: it
should hardly drop (sufficiency). Remove every sentence in turn: the drops should rank as the
attention does (Kendall's tau). The same for k sentences drawn at random is the yardstick.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from service.errors import DataError
from service.inference.engine import EngineOutput
from service.inference.explain import mean_attention, remove_sentence
from service.text.encode import Encoded, TextEncoder
from service.text.select import LengthRule, Redundancy, select_sentences
from training.evaluate.rank_agreement import kendall_tau
from training.evaluate.significance import Interval, mean_intervals

FloatArray: TypeAlias = NDArray[np.float32]
MeasureArray: TypeAlias = NDArray[np.float64]

_N_CHOSEN: Final = 3
_MEASURES: Final = ("comprehensiveness", "sufficiency", "leaveOneOutKendallTau")


class ScoringEngine(Protocol):
    """Anything that scores an encoded document as `service.inference.engine.Engine` does."""

    def score(self, encoded: Encoded) -> FloatArray:
        """Score the sentences of one document."""

    def run(self, encoded: Encoded) -> EngineOutput:
        """Score them, and tell where they looked."""


@dataclass(frozen=True)
class FaithfulnessReport:
    """Means over documents, in the order comprehensiveness, sufficiency, Kendall's tau.

    Attributes:
        attention: of the evidence by attention, with 95 % intervals.
        random: of evidence drawn at random.
        lead: of the document's first sentences as evidence.
        difference: attention minus random, paired over documents.
        n: documents measured.
        n_skipped: documents with too few sentences to tell evidence from the rest.
        top_k: evidence sentences of a chosen sentence.
        seed: of the random evidence and of the bootstrap.
    """

    attention: tuple[Interval, ...]
    random: tuple[Interval, ...]
    lead: tuple[Interval, ...]
    difference: tuple[Interval, ...]
    n: int
    n_skipped: int
    top_k: int
    seed: int

    def to_manifest(self) -> dict[str, float | int]:
        """Return the numbers that a bundle's manifest carries, of the attention evidence."""
        numbers = (round(interval.estimate, 4) for interval in self.attention)
        return {**dict(zip(_MEASURES, numbers, strict=True)), "n": self.n}

    def to_json(self) -> dict[str, Any]:
        """Return everything: each measure as [estimate, low, high]."""
        kinds = {
            "attention": self.attention,
            "random": self.random,
            "lead": self.lead,
            "difference": self.difference,
        }
        return {
            **{kind: _name_measures(intervals) for kind, intervals in kinds.items()},
            "n": self.n,
            "skipped": self.n_skipped,
            "topK": self.top_k,
            "seed": self.seed,
        }

    def to_text(self) -> str:
        """Return a table for people."""
        names = ("attention", "random", "lead", "attention - random")
        lines = ["".join(f"{name:<26}" for name in ("", *names)).rstrip()]
        kinds = (self.attention, self.random, self.lead, self.difference)
        for measure, *intervals in zip(_MEASURES, *kinds, strict=True):
            cells = [f"{i.estimate:+.3f} [{i.low:+.3f}, {i.high:+.3f}]" for i in intervals]
            lines.append("".join(f"{cell:<26}" for cell in (measure, *cells)).rstrip())
        lines.append(
            f"{self.n} documents ({self.n_skipped} skipped as too short), "
            f"evidence of {self.top_k} sentences, seed {self.seed}"
        )
        return "\n".join(lines)


def measure_faithfulness(
    engine: ScoringEngine,
    encoder: TextEncoder,
    texts: Iterable[str],
    *,
    top_k: int = 5,
    seed: int = 0,
    show_progress: bool = True,
) -> FaithfulnessReport:
    """Measure the attention evidence of the three chosen sentences of each text.

    Args:
        engine: scores encoded documents; runs about once for each sentence of a text.
        encoder: of the same bundle.
        texts: raw documents; those with no more than top_k + 1 encoded sentences are skipped,
            because evidence and random evidence would be the same there.
        top_k: evidence sentences of a chosen sentence, at least 1.
        seed: of the random evidence and of the bootstrap.
        show_progress: draw a bar on stderr.

    Returns:
        The report: a document counts once, however many of its sentences were chosen.

    Raises:
        DataError: no text is long enough.

    Source:
        DeYoung et al., ERASER, arXiv:1911.03429 (comprehensiveness, sufficiency); Jain & Wallace,
        arXiv:1902.10186 (tau with leave-one-out), with sentences for words.
    """
    generator = np.random.default_rng(seed)
    rows: list[MeasureArray] = []
    n_skipped = 0
    for text in tqdm(texts, unit=" documents", disable=not show_progress):
        encoded = encoder.encode(text)
        if encoded.n_encoded <= top_k + 1:
            n_skipped += 1
            continue
        sentences = [text[span.start : span.end] for span in encoded.spans]
        rows.append(_measure_document(engine, encoded, sentences, top_k, generator))
    if not rows:
        raise DataError(
            f"expected texts of more than {top_k + 1} sentences, got {n_skipped} shorter ones"
        )
    measures = np.stack(rows)  # documents, attention and random and lead, 3
    attention, random, lead = measures[:, 0], measures[:, 1], measures[:, 2]
    return FaithfulnessReport(
        attention=tuple(mean_intervals(attention, seed=seed)),
        random=tuple(mean_intervals(random, seed=seed)),
        lead=tuple(mean_intervals(lead, seed=seed)),
        difference=tuple(mean_intervals(attention - random, seed=seed)),
        n=len(rows),
        n_skipped=n_skipped,
        top_k=top_k,
        seed=seed,
    )


def keep_sentences(encoded: Encoded, kept: NDArray[np.int64]) -> Encoded:
    """Take all but some sentences out of an encoded document and number these anew.

    Args:
        encoded: the document.
        kept: (kept sentences,) int64 indexes of encoded sentences, ascending, at least one.

    Returns:
        The document as if its text held these sentences only, in their order.
    """
    mask = np.isin(encoded.sentence_ids, kept)
    token_ids = encoded.token_ids[mask]
    return replace(
        encoded,
        token_ids=token_ids,
        sentence_ids=np.searchsorted(kept, encoded.sentence_ids[mask]).astype(np.int64),
        spans=tuple(encoded.spans[i] for i in kept),
        n_encoded=len(kept),
        n_tokens=len(token_ids),
        is_truncated=False,
    )


def _measure_document(
    engine: ScoringEngine,
    encoded: Encoded,
    sentences: Sequence[str],
    top_k: int,
    generator: np.random.Generator,
) -> MeasureArray:
    """Return (3, 3): attention, random and lead evidence, mean over the chosen sentences."""
    output = engine.run(encoded)
    rule = LengthRule(sentence_count=_N_CHOSEN)
    chosen = select_sentences(output.scores, sentences, rule, Redundancy.TRIGRAM)
    drops = _leave_one_out_drops(engine, encoded, output.scores)
    attention = mean_attention(output)
    lead: FloatArray = np.float32(1) / np.arange(1, encoded.n_encoded + 1, dtype=np.float32)
    measures = [
        [
            _measure_evidence(engine, encoded, output.scores, i, weights, drops[i], top_k)
            for weights in (
                attention[i],
                generator.random(encoded.n_encoded, dtype=np.float32),
                lead,
            )
        ]
        for i in chosen
    ]
    mean: MeasureArray = np.array(measures, dtype=np.float64).mean(axis=0)
    return mean


def _measure_evidence(
    engine: ScoringEngine,
    encoded: Encoded,
    scores: FloatArray,
    index: int,
    weights: FloatArray,
    drops: FloatArray,
    top_k: int,
) -> tuple[float, float, float]:
    """Return comprehensiveness, sufficiency and tau of one chosen sentence's evidence.

    Args:
        engine: scores encoded documents.
        encoded: the document.
        scores: (sentences,) float32 of the whole document.
        index: of the chosen sentence.
        weights: (sentences,) float32; the top_k largest, but for the sentence's own, are evidence.
        drops: (sentences,) float32, of the sentence's score without each sentence.
        top_k: how many sentences are evidence.
    """
    everything = np.arange(encoded.n_encoded, dtype=np.int64)
    others = np.delete(everything, index)
    evidence = others[np.argsort(-weights[others], kind="stable")[:top_k]]
    without = np.setdiff1d(everything, evidence)
    only = np.union1d(evidence, index)
    left = [
        engine.score(keep_sentences(encoded, kept))[np.searchsorted(kept, index)]
        for kept in (without, only)
    ]
    return (
        float(scores[index] - left[0]),
        float(scores[index] - left[1]),
        kendall_tau(weights[others], drops[others]),
    )


def _leave_one_out_drops(engine: ScoringEngine, encoded: Encoded, scores: FloatArray) -> FloatArray:
    """Return (sentences, sentences): drop of score i without sentence j; 0 on the diagonal."""
    drops = np.zeros((len(scores), len(scores)), dtype=np.float32)
    for j in range(len(scores)):
        others = np.arange(len(scores)) != j
        drops[others, j] = scores[others] - engine.score(remove_sentence(encoded, j))
    return drops


def _name_measures(intervals: Iterable[Interval]) -> dict[str, list[float]]:
    numbers = ([round(x, 4) for x in (i.estimate, i.low, i.high)] for i in intervals)
    return dict(zip(_MEASURES, numbers, strict=True))
