"""The summarizer: the whole way from text to summary in one readable function."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt

from service.errors import InputError
from service.inference.bundle import Bundle, embedded_bundle_path
from service.inference.engine import Engine
from service.inference.explain import Explainer, ExplainMethod, Explanation
from service.inference.stop import StopSignal
from service.text.default_length import DEFAULT_SENTENCE_COUNT
from service.text.encode import Encoded
from service.text.select import LengthRule, Order, Redundancy, in_order, select_sentences
from service.text.sentences import Span

_THREE = LengthRule(sentence_count=DEFAULT_SENTENCE_COUNT)


class LongInput(StrEnum):
    """What is done about a text that the model cannot read whole; never silent."""

    FULL = "full"
    """Read as much as the model can, and warn about the rest."""
    TRUNCATE = "truncate"
    """The same: the caller expects it, and is still told."""
    REJECT = "reject"
    """Refuse the text."""


@dataclass(frozen=True)
class SummarySentence:
    """A sentence of the document: `text == document[offset : offset + length]`.

    Attributes:
        text: verbatim.
        rank_score: in [0, 1], higher is more important.
        offset: code points before it in the document.
        length: in code points.
        index: 0 for the document's first sentence.
    """

    text: str
    rank_score: float
    offset: int
    length: int
    index: int


@dataclass(frozen=True)
class Statistics:
    """Sizes of the document.

    Attributes:
        characters_count: code points.
        sentences_count: all sentences, also those that were not read.
        tokens_count: tokens that the whole text would need.
        truncated: some of it was not read.
    """

    characters_count: int
    sentences_count: int
    tokens_count: int
    truncated: bool


@dataclass(frozen=True)
class SummaryWarning:
    """Something that the caller should know: a code for programs, a message for people."""

    code: str
    message: str


@dataclass(frozen=True)
class Stages:
    """How long each part of the work on one document took, in seconds.

    Attributes:
        encode_s: text to sentences and token ids; 0.0 where the caller had encoded it.
        infer_s: the run of the model that scored the sentences.
        explain_s: finding the reasons; 0.0 without any.
    """

    encode_s: float
    infer_s: float
    explain_s: float


@dataclass(frozen=True)
class Summary:
    """A document's own most important sentences.

    Attributes:
        text: the chosen sentences in the asked order, joined by single spaces.
        sentences: the chosen sentences in the same order.
        statistics: sizes of the document.
        warnings: empty when all of the text was read and something was chosen.
        explanation: None unless asked for.
        all_scores: every sentence that was read, in document order; None unless asked for.
        stages: how long the work took; no part of the answer, so it does not count in `==`.
    """

    text: str
    sentences: tuple[SummarySentence, ...]
    statistics: Statistics
    warnings: tuple[SummaryWarning, ...]
    explanation: Explanation | None
    all_scores: tuple[SummarySentence, ...] | None
    stages: Stages = field(compare=False)


class Summarizer:
    """Summarizes texts with one bundle; safe to use from several threads.

    Args:
        bundle: the model, or the path of its folder; None for the embedded one.
        threads: threads that share the work of one run; at least 1.
        max_occluded_sentences: most sentences that an occlusion explanation removes, one more run
            of the model each.

    Attributes:
        bundle: the verified bundle.
        engine: the session over its graph.

    Raises:
        BundleError: the bundle cannot be used.
        InputError: threads is below 1.
    """

    def __init__(
        self,
        bundle: Bundle | Path | None = None,
        threads: int = 1,
        max_occluded_sentences: int = 40,
    ) -> None:
        if not isinstance(bundle, Bundle):
            bundle = Bundle(embedded_bundle_path() if bundle is None else Path(bundle))
        self.bundle = bundle
        self.engine = Engine(bundle, threads)
        self._explainer = Explainer(self.engine, bundle.manifest, max_occluded_sentences)

    def summarize(
        self,
        text: str,
        *,
        rule: LengthRule | None = None,
        order: Order = Order.OFFSET,
        redundancy: Redundancy = Redundancy.TRIGRAM,
        explain: ExplainMethod | None = None,
        top_k: int = 5,
        return_all_scores: bool = False,
        long_input: LongInput = LongInput.FULL,
        encoded: Encoded | None = None,
        stop: StopSignal | None = None,
    ) -> Summary:
        """Summarize one text.

        Args:
            text: any Unicode text.
            rule: how much to choose; None for the bundle's default, which is three sentences, or
                two to four where its manifest has a `default_length`.
            order: of the chosen sentences.
            redundancy: whether to skip sentences that repeat a chosen one.
            explain: where reasons come from; None for no reasons.
            top_k: most evidence sentences for each chosen one; at least 1.
            return_all_scores: also return every sentence that was read, with its score.
            long_input: what to do about a text that the model cannot read whole.
            encoded: this text, encoded by `bundle.encoder`, where the caller already has it.
            stop: ends the work early when another thread sets it.

        Returns:
            The summary; the same one for the same arguments, always.

        Raises:
            InputError: the text holds no sentence, is too long under `LongInput.REJECT`, or top_k
                is below 1.
            StoppedError: the signal was set.
        """
        began = perf_counter()
        if encoded is None:
            encoded = self.bundle.encoder.encode(text)
        if stop is not None:
            stop.check()
        self._check_input(text, encoded, long_input)
        encoded_at = perf_counter()
        output = None if explain is None else self.engine.run(encoded, stop)
        scores = self.engine.score(encoded, stop) if output is None else output.scores
        inferred_at = perf_counter()
        sentences = [text[start:end] for start, end in encoded.spans]
        chosen = in_order(self.choose(scores, sentences, rule, redundancy), order)
        numbers = scores.tolist()  # of the sentences that were read
        summary = tuple(_quote(text, encoded.spans[i], numbers[i], i) for i in chosen)
        explaining_at = perf_counter()
        explanation = (
            self._explainer.explain(explain, encoded, output, chosen, top_k, stop)
            if explain is not None and output is not None
            else None
        )
        explained_at = perf_counter()
        return Summary(
            text=" ".join(sentence.text for sentence in summary),
            sentences=summary,
            statistics=Statistics(
                len(text), len(encoded.spans), encoded.n_tokens, encoded.is_truncated
            ),
            warnings=(*self._truncation_warning(encoded), *_empty_warning(chosen, rule)),
            explanation=explanation,
            all_scores=(
                tuple(_quote(text, encoded.spans[i], score, i) for i, score in enumerate(numbers))
                if return_all_scores
                else None
            ),
            stages=Stages(
                encode_s=encoded_at - began,
                infer_s=inferred_at - encoded_at,
                explain_s=explained_at - explaining_at if explain is not None else 0.0,
            ),
        )

    def choose(
        self,
        scores: npt.NDArray[np.float32],
        sentences: Sequence[str],
        rule: LengthRule | None,
        redundancy: Redundancy,
    ) -> list[int]:
        """Choose among sentences that have been scored.

        Args:
            scores: (scored sentences,) float32 in [0, 1], of the document's first sentences.
            sentences: (sentences,) texts of all the document's sentences.
            rule: how much to choose; None for the bundle's default.
            redundancy: whether to skip sentences that repeat a chosen one.

        Returns:
            Indexes into `sentences`, best first.

        Raises:
            ShapeError: scores is not one-dimensional, or longer than sentences.
        """
        adaptive = self.bundle.adaptive_length
        if rule is None and adaptive is not None:
            return adaptive.choose(scores, sentences, redundancy)
        return select_sentences(scores, sentences, rule or _THREE, redundancy)

    def _check_input(self, text: str, encoded: Encoded, long_input: LongInput) -> None:
        if encoded.n_encoded == 0:
            got = "only white space" if text else "none"
            raise InputError(
                f"expected some text, got {got}; send a text of a few sentences", "/text"
            )
        if encoded.is_truncated and long_input is LongInput.REJECT:
            raise InputError(
                f"expected a text that can be read whole, got one that cannot: "
                f"{self._describe_reading(encoded)}; send a shorter text, or ask for longInput "
                "full or truncate",
                "/text",
            )

    def _truncation_warning(self, encoded: Encoded) -> list[SummaryWarning]:
        if not encoded.is_truncated:
            return []
        return [SummaryWarning("InputTruncated", self._describe_reading(encoded))]

    def _describe_reading(self, encoded: Encoded) -> str:
        settings = self.bundle.encoder.settings
        return (
            f"the model reads up to {settings.max_tokens} tokens and {settings.max_sentences} "
            f"sentences of a text and {settings.max_sentence_tokens} tokens of a sentence; "
            f"it read {len(encoded.token_ids)} of "
            f"{encoded.n_tokens} tokens, in the first {encoded.n_encoded} of "
            f"{len(encoded.spans)} sentences"
        )


def _quote(text: str, span: Span, score: float, index: int) -> SummarySentence:
    sentence = text[span.start : span.end]
    assert 0 < len(sentence) == span.end - span.start, "a span must lie inside the text"
    return SummarySentence(sentence, score, span.start, span.end - span.start, index)


def _empty_warning(chosen: list[int], rule: LengthRule | None) -> list[SummaryWarning]:
    if chosen:
        return []
    assert rule is not None, "without a rule something is chosen"
    return [
        SummaryWarning(
            "EmptySummary",
            f"no sentence that was read fits into {rule.max_characters} characters; "
            "allow more, or ask for a sentence count",
        )
    ]
