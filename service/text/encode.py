"""Raw text to model input: the one path that training and serving share.

    text -> sentence spans -> [CLS] s1 [SEP] [CLS] s2 [SEP] …   token_ids
                               0    0  0     1    1  1          sentence_ids

Everything else that the model needs (positions, masks) is derived from these two arrays inside
the model.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from service.errors import BundleError, ShapeError
from service.text.probes import PROBE_TEXTS
from service.text.sentence_tokenizer import SentenceTokenizer
from service.text.sentences import SentenceSplitter, Span

IntArray = npt.NDArray[np.int64]

_CLS_SEP_NAMES = (("[CLS]", "[SEP]"), ("<s>", "</s>"))


DEFAULT_MAX_SENTENCES = 512


@dataclass(frozen=True)
class EncoderSettings:
    """How much of a text the model reads.

    Attributes:
        max_tokens: most tokens of a document, [CLS] and [SEP] included; at least 3.
        max_sentence_tokens: most tokens of one sentence, its [CLS] and [SEP] included; a longer
            sentence is read up to there. From 3 to max_tokens.
        max_sentences: most sentences of a document; at least 1. Sentences look at each other, so
            that cost and memory grow with the square of their number.
    """

    max_tokens: int
    max_sentence_tokens: int
    max_sentences: int = DEFAULT_MAX_SENTENCES

    def __post_init__(self) -> None:
        if not 3 <= self.max_sentence_tokens <= self.max_tokens:
            raise ShapeError(
                "expected 3 <= max_sentence_tokens <= max_tokens, "
                f"got {self.max_sentence_tokens} and {self.max_tokens}"
            )
        if self.max_sentences < 1:
            raise ShapeError(f"expected max_sentences >= 1, got {self.max_sentences}")


@dataclass(frozen=True, eq=False)
class Encoded:
    """One document as the model sees it.

    Attributes:
        token_ids: (tokens,) int64 vocabulary ids.
        sentence_ids: (tokens,) int64 index of each token's sentence, 0, 0, …, 1, 1, …
        spans: every sentence of the text, also those that are not in token_ids.
        n_encoded: the first n_encoded sentences are in token_ids.
        n_tokens: tokens that the whole text would need.
        is_truncated: some sentence, or the end of one, is not in token_ids.
    """

    token_ids: IntArray
    sentence_ids: IntArray
    spans: tuple[Span, ...]
    n_encoded: int
    n_tokens: int
    is_truncated: bool


class TextEncoder:
    """Splits a text into sentences and turns them into token ids.

    Args:
        tokenizer: a WordPiece- or BPE-like tokenizer with [CLS] and [SEP] (or <s> and </s>).
        splitter: finds the sentences.
        settings: how much of a text is read.

    Raises:
        BundleError: the tokenizer has no token to open and close a sentence with.
    """

    def __init__(
        self, tokenizer: Tokenizer, splitter: SentenceSplitter, settings: EncoderSettings
    ) -> None:
        self.settings = settings
        self._splitter = splitter
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = SentenceTokenizer(tokenizer)
        self._cls_id, self._sep_id = find_cls_and_sep(tokenizer)

    def encode(self, text: str) -> Encoded:
        """Encode the leading sentences of a text that fit into `max_tokens`.

        A sentence that does not fit whole ends the reading; the ones after it are not read either.

        Args:
            text: any Unicode text; a lone surrogate is read as U+FFFD.

        Returns:
            The document; n_encoded is 0 when the text holds no sentence.
        """
        spans = self._splitter.split(text)
        sentences = self._tokenizer.tokenize([text[start:end] for start, end in spans])
        token_ids: list[int] = []
        lengths: list[int] = []
        for ids in sentences[: self.settings.max_sentences]:
            kept = [self._cls_id, *ids[: self.settings.max_sentence_tokens - 2], self._sep_id]
            if len(token_ids) + len(kept) > self.settings.max_tokens:
                break
            token_ids += kept
            lengths.append(len(kept))
        n_tokens = sum(len(ids) + 2 for ids in sentences)
        return Encoded(
            token_ids=np.array(token_ids, dtype=np.int64),
            sentence_ids=np.arange(len(lengths)).repeat(np.array(lengths, dtype=np.int64)),
            spans=tuple(spans),
            n_encoded=len(lengths),
            n_tokens=n_tokens,
            is_truncated=len(token_ids) < n_tokens,
        )

    def fingerprint(self, texts: Iterable[str] = PROBE_TEXTS) -> str:
        """Hash what this encoder makes of the probe texts.

        Two encoders with one fingerprint cut and encode alike; a bundle carries the fingerprint
        of the encoder that its model was trained with, and refuses to start with another.

        Returns:
            sha256, 64 hexadecimal digits.
        """
        digest = hashlib.sha256()
        for text in texts:
            encoded = self.encode(text)
            spans = np.array(encoded.spans, dtype="<i8").reshape(-1, 2)
            for array in (encoded.token_ids, encoded.sentence_ids, spans):
                digest.update(str(array.shape).encode())
                digest.update(array.astype("<i8").tobytes())
        return digest.hexdigest()


def find_cls_and_sep(tokenizer: Tokenizer) -> tuple[int, int]:
    """Find the ids of the tokens that open and close a sentence.

    Raises:
        BundleError: the tokenizer has no such pair.
    """
    for cls_name, sep_name in _CLS_SEP_NAMES:
        cls_id, sep_id = tokenizer.token_to_id(cls_name), tokenizer.token_to_id(sep_name)
        if cls_id is not None and sep_id is not None:
            return cls_id, sep_id
    raise BundleError(
        "expected a tokenizer with [CLS] and [SEP] (or <s> and </s>), got one with neither pair; "
        "use the tokenizer.json of a BERT-like model"
    )
