"""Batches of made-up documents as the models take them, and a hypothesis strategy for them."""

import torch
from hypothesis import strategies as st

# A document is a list of sentences, a sentence a list of token ids.
sentences = st.lists(st.integers(0, 4), min_size=1, max_size=4)
documents = st.lists(sentences, min_size=1, max_size=4)


def padded_batch(*documents):
    """Pad documents to one length: (documents, tokens) int64 token ids and sentence ids."""
    n_tokens = max(sum(map(len, document)) for document in documents)
    token_ids = torch.zeros(len(documents), n_tokens, dtype=torch.int64)
    sentence_ids = torch.full_like(token_ids, -1)
    for row, document in enumerate(documents):
        tokens = [token for sentence in document for token in sentence]
        places = [place for place, sentence in enumerate(document) for _ in sentence]
        token_ids[row, : len(tokens)] = torch.tensor(tokens)
        sentence_ids[row, : len(tokens)] = torch.tensor(places)
    return token_ids, sentence_ids
