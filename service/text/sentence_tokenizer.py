"""The sentence tokenizer: sentences to vocabulary ids, with the words that were met remembered.

Tokenizing took two thirds of the time from text to model input, and most words of a text stood in
the texts before it. A tokenizer that parts tokens at every space makes of a word the same tokens in
each sentence:

    "the storm came."  ->  "the" "storm" "came."  ->  1996 · 4040 · 2234 1012

So it is asked only for words that are not remembered, for all of a text at once.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from threading import Lock

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

DEFAULT_RECENT_WORDS = 16_384
LONGEST_WORD = 32
"""Characters of a word that is remembered; longer ones are asked for each time."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

TokenIds = tuple[int, ...]


class SentenceTokenizer:
    """Turns sentences into token ids; safe to use from several threads.

    What it remembers changes only the time that it takes. It starts no threads, as a tokenizer's
    `encode_batch` would, one for every CPU.

    Args:
        tokenizer: without padding and truncation, not changed afterwards. Only one built as BERT's
            is asked by the word, others by the sentence.
        n_recent_words: words that are remembered before those that were not met since are
            forgotten: at most twice as many, 6 MB of English at the default.
    """

    def __init__(self, tokenizer: Tokenizer, n_recent_words: int = DEFAULT_RECENT_WORDS) -> None:
        self._tokenizer = tokenizer
        self._n_recent_words = n_recent_words
        self._is_by_word = has_independent_words(tokenizer)
        self._recent: dict[str, TokenIds] = {}
        self._older: dict[str, TokenIds] = {}
        self._lock = Lock()

    def tokenize(self, sentences: Sequence[str]) -> list[list[int]]:
        """Give each sentence's ids, without [CLS] and [SEP].

        Args:
            sentences: of one text; a lone surrogate is read as U+FFFD.

        Returns:
            As many lists as sentences.
        """
        if not self._is_by_word:
            return [
                self._tokenizer.encode(_readable(sentence), add_special_tokens=False).ids
                for sentence in sentences
            ]
        words_of = [sentence.split(" ") for sentence in sentences]
        ids_of = self._look_up(chain.from_iterable(words_of))
        return [list(chain.from_iterable(map(ids_of.__getitem__, words))) for words in words_of]

    @property
    def n_remembered(self) -> int:
        """Words whose tokens are known, those in both halves of the memory counted twice."""
        return len(self._recent) + len(self._older)

    def _look_up(self, words: Iterable[str]) -> dict[str, TokenIds]:
        recent, older = self._recent, self._older
        ids_of = {word: recent.get(word) or older.get(word, ()) for word in words}
        unknown = [word for word, ids in ids_of.items() if not ids]
        ids_of.update(zip(unknown, self._ask(unknown), strict=True))
        self._remember(ids_of)
        return ids_of

    def _ask(self, words: Sequence[str]) -> list[TokenIds]:
        """Let the tokenizer read words, each as if it were a text of its own."""
        encoding = self._tokenizer.encode(
            [_readable(word) for word in words], is_pretokenized=True, add_special_tokens=False
        )
        ids_of: list[list[int]] = [[] for _ in words]
        for number, token_id in zip(encoding.word_ids, encoding.ids, strict=True):
            ids_of[number].append(token_id)
        return [tuple(ids) for ids in ids_of]

    def _remember(self, ids_of: dict[str, TokenIds]) -> None:
        """Keep a text's words; when the recent ones are many, the older ones are forgotten."""
        with self._lock:
            recent = self._recent
            fresh = {
                word: ids
                for word, ids in ids_of.items()
                if word not in recent and len(word) <= LONGEST_WORD
            }
            if len(fresh) > self._n_recent_words:
                return  # a text that would fill the memory by itself says little about the next one
            if len(recent) + len(fresh) > self._n_recent_words:
                self._older, self._recent = recent, fresh
            else:
                recent.update(fresh)


def has_independent_words(tokenizer: Tokenizer) -> bool:
    """Tell whether a word between spaces gets the same tokens whatever stands beyond the spaces.

    Of the tokenizers that could, only BERT's is known here: its normalizer maps one character after
    the other, its pre-tokenizer ends a word at each space, WordPiece looks into one word.

    Returns:
        True only if an added token could not change that either.
    """
    return (
        isinstance(tokenizer.normalizer, BertNormalizer)
        and isinstance(tokenizer.pre_tokenizer, BertPreTokenizer)
        and isinstance(tokenizer.model, WordPiece)
        and not any(
            " " in token.content or token.normalized
            for token in tokenizer.get_added_tokens_decoder().values()
        )
    )


def _readable(text: str) -> str:
    """Replace what no UTF-8 can hold, and so no tokenizer can read."""
    return _LONE_SURROGATE.sub("\ufffd", text)
