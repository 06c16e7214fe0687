"""The explanation: why a sentence was chosen, and what the reasons do not prove.

Attention evidence is nearly free: the run that scores the sentences also says where they looked.
Occlusion evidence costs one more run for each sentence that is left out, and has a sign.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from service.errors import InputError
from service.inference.engine import Engine, EngineOutput
from service.inference.manifest import Manifest
from service.inference.stop import StopSignal
from service.text.encode import Encoded

_ATTENTION_NOTE = (
    "A weight is where heads looked: the mean of the attention among sentences and of the "
    "attention between equal tokens. Weights are not signed causes."
)
_OCCLUSION_NOTE = (
    "A weight is how much this sentence's score falls when the other sentence is removed: "
    "positive when the other one supports it, negative when it competes with it. Effects of single "
    "removals do not add up, and two sentences that say the same can hide each other's effect."
)
_PATTERN_NOTE = (
    "A pattern's share counts only what its heads wrote into the sentence's [CLS] directly."
)


class ExplainMethod(StrEnum):
    """Where the evidence comes from."""

    ATTENTION = "attention"
    OCCLUSION = "occlusion"


@dataclass(frozen=True)
class Evidence:
    """Another sentence, and its weight.

    Attributes:
        index: of the sentence in the document.
        weight: under attention in [0, 1], mean attention to it; under occlusion in [-1, 1], the
            drop of the score when it is removed.
    """

    index: int
    weight: float


@dataclass(frozen=True)
class PatternShare:
    """A pattern, and the share of its heads in what a sentence's [CLS] received, in [0, 1]."""

    name: str
    share: float


@dataclass(frozen=True)
class SelectedReason:
    """The reasons of one chosen sentence.

    Attributes:
        index: of the sentence in the document.
        evidence: other sentences, the largest absolute weight first; none of weight 0.
        patterns: every pattern of the model, in the order of the manifest.
    """

    index: int
    evidence: tuple[Evidence, ...]
    patterns: tuple[PatternShare, ...]


@dataclass(frozen=True)
class Explanation:
    """The reasons of all chosen sentences of one document.

    Attributes:
        method: where the evidence comes from.
        selected: one entry for each chosen sentence, in the order of the summary.
        faithfulness: what was measured for attention evidence over many documents, under the
            names of the manifest; None when it was not measured.
        notes: what the numbers do not prove, for a person to read.
    """

    method: ExplainMethod
    selected: tuple[SelectedReason, ...]
    faithfulness: Mapping[str, float] | None
    notes: tuple[str, ...]


class Explainer:
    """Finds the reasons of chosen sentences.

    Args:
        engine: runs the model again for occlusion.
        manifest: of the same bundle; names the patterns and holds the faithfulness numbers.
        max_occluded_sentences: most sentences that occlusion removes, one run each; the ones that
            the chosen sentences look at most. 0 removes none.
    """

    def __init__(self, engine: Engine, manifest: Manifest, max_occluded_sentences: int) -> None:
        self._engine = engine
        self._pattern_names = manifest.model.pattern_names
        measured = manifest.faithfulness
        self._faithfulness = measured.model_dump(by_alias=True) if measured else None
        self._max_occluded_sentences = max_occluded_sentences

    def explain(
        self,
        method: ExplainMethod,
        encoded: Encoded,
        output: EngineOutput,
        chosen: Sequence[int],
        top_k: int,
        stop: StopSignal | None = None,
    ) -> Explanation:
        """Give the reasons of the chosen sentences.

        Args:
            method: attention or occlusion.
            encoded: the document.
            output: of the engine for it.
            chosen: indexes of the chosen sentences.
            top_k: most evidence sentences for each; at least 1.
            stop: ends the runs of occlusion early.

        Returns:
            The explanation, with honest notes.

        Raises:
            InputError: top_k is below 1.
            StoppedError: the signal was set.

        Source:
            Occlusion is leave-one-out, as in Li et al., arXiv:1612.08220, with sentences for words.
        """
        if top_k < 1:
            raise InputError(
                f"expected topK >= 1, got {top_k}; ask for one or more", "/explain/topK"
            )
        weights, notes = mean_attention(output), [_ATTENTION_NOTE]
        if method is ExplainMethod.OCCLUSION:
            candidates = _rank_by_attention(weights, chosen)
            occluded = candidates[: self._max_occluded_sentences]
            weights = self._occlusion_weights(encoded, output, occluded, stop)
            notes = [_OCCLUSION_NOTE, *_cap_note(len(occluded), len(candidates))]
        return Explanation(
            method=method,
            selected=tuple(self._reason(i, weights[i], output, top_k) for i in chosen),
            faithfulness=self._faithfulness,
            notes=(*notes, *_unread_note(encoded), _PATTERN_NOTE, self._faithfulness_note(method)),
        )

    def _reason(
        self, index: int, weights: npt.NDArray[np.float32], output: EngineOutput, top_k: int
    ) -> SelectedReason:
        ranked = np.argsort(-np.abs(weights), kind="stable")
        others = ranked[(ranked != index) & (weights[ranked] != 0)][:top_k].tolist()
        shares = zip(self._pattern_names, output.pattern_shares[index].tolist(), strict=True)
        return SelectedReason(
            index=index,
            evidence=tuple(Evidence(j, float(weights[j])) for j in others),
            patterns=tuple(PatternShare(name, share) for name, share in shares),
        )

    def _occlusion_weights(
        self,
        encoded: Encoded,
        output: EngineOutput,
        occluded: Sequence[int],
        stop: StopSignal | None,
    ) -> npt.NDArray[np.float32]:
        """(sentences, sentences) drop of score i without sentence j; 0 where j was not removed."""
        weights = np.zeros_like(output.document_attention)
        for j in occluded:
            others = np.arange(encoded.n_encoded) != j
            without = self._engine.score(remove_sentence(encoded, j), stop)
            weights[others, j] = output.scores[others] - without
        return weights

    def _faithfulness_note(self, method: ExplainMethod) -> str:
        if self._faithfulness is None:
            return "Faithfulness was not measured for this model."
        if method is ExplainMethod.OCCLUSION:
            return "The faithfulness numbers were measured for attention weights, not for these."
        return (
            f"The faithfulness numbers are means over {self._faithfulness['n']} other documents, "
            "not a measurement of this one."
        )


def mean_attention(output: EngineOutput) -> npt.NDArray[np.float32]:
    """Average the attention among sentences and the attention between equal tokens.

    Args:
        output: of the engine.

    Returns:
        (sentences, sentences) float32; rows sum to 1, the diagonal included.
    """
    mean = (output.document_attention + output.matching_attention) / 2
    return mean.astype(np.float32)


def remove_sentence(encoded: Encoded, index: int) -> Encoded:
    """Take one sentence out of an encoded document and number the later ones anew.

    Args:
        encoded: with more than one encoded sentence.
        index: of an encoded sentence.

    Returns:
        The document as if the sentence had never been in the text.
    """
    assert 0 <= index < encoded.n_encoded > 1, "only one of several encoded sentences can go"
    kept = encoded.sentence_ids != index
    sentence_ids = encoded.sentence_ids[kept]
    return replace(
        encoded,
        token_ids=encoded.token_ids[kept],
        sentence_ids=sentence_ids - (sentence_ids > index),
        spans=encoded.spans[:index] + encoded.spans[index + 1 :],
        n_encoded=encoded.n_encoded - 1,
        n_tokens=encoded.n_tokens - int(np.count_nonzero(~kept)),
    )


def _rank_by_attention(attention: npt.NDArray[np.float32], chosen: Sequence[int]) -> list[int]:
    """Sentences whose removal can affect a chosen one, those that they look at most first."""
    looked_at = attention[list(chosen)]  # chosen sentences, S
    looked_at[np.arange(len(chosen)), list(chosen)] = 0
    ranked = np.argsort(-looked_at.sum(axis=0), kind="stable").tolist()
    return [j for j in ranked if any(i != j for i in chosen)]


def _cap_note(n_occluded: int, n_candidates: int) -> list[str]:
    if n_occluded == n_candidates:
        return []
    note = (
        f"Of {n_candidates} sentences only the {n_occluded} that the chosen ones look at most "
        "were removed; the others have no weight."
    )
    return [note]


def _unread_note(encoded: Encoded) -> list[str]:
    n_sentences = len(encoded.spans)
    if encoded.n_encoded == n_sentences:
        return []
    note = (
        f"The model read the first {encoded.n_encoded} of {n_sentences} sentences; the others "
        "have no weight."
    )
    return [note]
