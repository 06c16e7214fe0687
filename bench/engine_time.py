"""The model alone: one document of a fixed length, without splitting, tokens or HTTP."""

from collections.abc import Callable, Iterable, Sequence
from time import perf_counter

import numpy as np

from bench.generated import generate_articles
from bench.results import EngineTime
from bench.statistics import quantile
from service.inference.bundle import Bundle
from service.inference.engine import Engine
from service.text.encode import Encoded, IntArray
from service.text.sentences import Span

N_WARM_UP = 3
N_WORDS = 100


def encode_exactly(bundle: Bundle, n_tokens: int, seed: int) -> Encoded:
    """Encode generated articles, one behind the other, so that there are exactly so many tokens.

    Args:
        bundle: whose tokens they are.
        n_tokens: from 3 to what the model reads; the last sentence is cut to fit, as no text of a
            caller ever is.
        seed: of the articles.

    Returns:
        One document; its spans say how many sentences there are, not where.
    """
    token_ids: list[IntArray] = []
    sentence_ids: list[IntArray] = []
    spans: list[Span] = []
    for text in generate_articles(1 + n_tokens // N_WORDS, (N_WORDS, N_WORDS), seed):
        encoded = bundle.encoder.encode(text)  # a word is at least a token: these are enough
        token_ids.append(encoded.token_ids)
        sentence_ids.append(encoded.sentence_ids + len(spans))
        spans += encoded.spans[: encoded.n_encoded]
    kept = np.concatenate(sentence_ids)[:n_tokens]
    n_encoded = int(kept[-1]) + 1
    return Encoded(
        token_ids=np.concatenate(token_ids)[:n_tokens],
        sentence_ids=kept,
        spans=tuple(spans[:n_encoded]),
        n_encoded=n_encoded,
        n_tokens=n_tokens,
        is_truncated=False,
    )


def time_engines(
    bundles: Sequence[Bundle],
    lengths: Iterable[int],
    n_runs: int,
    threads: int,
    seed: int,
    on_run: Callable[[], object],
) -> list[EngineTime]:
    """Time one or more models on documents of given lengths; the models take turns.

    Args:
        bundles: to compare, at least one.
        lengths: in tokens, each from 3 to what every model reads.
        n_runs: timed runs for each model and length, at least 1.
        threads: that share one run.
        seed: of the documents.
        on_run: called after each timed run.
    """
    engines = [Engine(bundle, threads) for bundle in bundles]
    turns = np.random.default_rng(seed)
    found = []
    for n_tokens in lengths:
        documents = [encode_exactly(bundle, n_tokens, seed) for bundle in bundles]
        seconds: list[list[float]] = [[] for _ in bundles]
        for run in range(N_WARM_UP + n_runs):
            for i in turns.permutation(len(bundles)):  # in turns, each after any other
                started_s = perf_counter()
                engines[i].score(documents[i])
                if run >= N_WARM_UP:
                    seconds[i].append(perf_counter() - started_s)
                    on_run()
        found += [
            EngineTime(
                model=bundle.version,
                weights=bundle.manifest.model.weights,
                n_tokens=n_tokens,
                n_runs=n_runs,
                median_s=quantile(times, 0.5),
            )
            for bundle, times in zip(bundles, seconds, strict=True)
        ]
    return found
