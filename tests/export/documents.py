"""Random documents as token ids and sentence ids, for comparing forms of one model."""

import numpy as np


def random_document(seed, n_sentences, longest=12, vocabulary=300, shortest=3):
    """Sentences of `shortest` to `longest` tokens; token 0 opens each one, common ids repeat."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(shortest, longest + 1, n_sentences)
    sentence_ids = np.repeat(np.arange(n_sentences), lengths)
    token_ids = generator.zipf(1.4, len(sentence_ids)) % vocabulary
    token_ids[np.searchsorted(sentence_ids, np.arange(n_sentences))] = 0
    return {"token_ids": token_ids.astype(np.int64), "sentence_ids": sentence_ids}
