"""A document of two sentences with the classes of its tokens, and a strategy for predicates."""

import torch
from hypothesis import strategies as st

from tests.tiny_bundle import tiny_tokenizer
from training.mining.predicates import PLAIN, And, Lead, Not, Offset, Or
from training.mining.tokens import TokenClasses

atoms = st.one_of(
    st.sampled_from(list(PLAIN.values())),
    st.builds(Offset, st.integers(-300, 300)),
    st.builds(Lead, st.integers(1, 20)),
)


def parts(predicates):
    return st.lists(predicates, min_size=2, max_size=3).map(tuple)


predicates = st.recursive(
    atoms,
    lambda inner: st.one_of(inner.map(Not), parts(inner).map(And), parts(inner).map(Or)),
    max_leaves=8,
)


def read(text, *more_sentences):
    """Tokens of sentences in the tiny vocabulary, [CLS] and [SEP] around each."""
    tokenizer = tiny_tokenizer()
    token_ids, sentence_ids = [], []
    for number, sentence in enumerate([text, *more_sentences]):
        ids = tokenizer.encode(f"[CLS] {sentence} [SEP]").ids
        token_ids += ids
        sentence_ids += [number] * len(ids)
    return TokenClasses(tokenizer).read(torch.tensor(token_ids), torch.tensor(sentence_ids))


# place      0     1   2     3 4     5     6   7     8 9
TOKENS = read("the river .", "the 7 river")
# tokens     [CLS] the river . [SEP] [CLS] the 7 river [SEP]
