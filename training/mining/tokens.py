"""The tokens of one document as predicates see them: id, sentence and class of each.

A token's class comes from its piece of the vocabulary alone:

    [CLS]  cls      ,  punctuation      1998  number      the  stopword
    [SEP]  sep      –  punctuation      ##18  number      ##s  word      river  word
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import torch
from tokenizers import Tokenizer
from torch import Tensor

from service.errors import ShapeError
from service.text.encode import find_cls_and_sep


class TokenClass(StrEnum):
    """What kind of token it is; the place in this list is its number in arrays."""

    CLS = "cls"
    SEP = "sep"
    PUNCTUATION = "punctuation"
    NUMBER = "number"
    STOPWORD = "stopword"
    WORD = "word"

    @property
    def number(self) -> int:
        """Its number in arrays."""
        return list(TokenClass).index(self)


_FUNCTION_WORDS: Final = """
    a an the this that these those
    i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his
    himself she her hers herself it its itself they them their theirs themselves who whom whose
    which what one
    am is are was were be been being do does did doing done have has had having will would shall
    should can could may might must ought cannot
    about above across after against along amid among around as at before behind below beneath
    beside besides between beyond by despite down during except for from in inside into like near
    of off on onto out outside over past per since through throughout till to toward towards under
    until up upon via with within without
    and but or nor so yet if because although though while whereas unless than whether
    not no n't never none neither either both all any each every few many more most much other
    another some such same own several
    when where why how there here then now once again also just only too very even ever still
    s t d ll re ve m don didn doesn isn wasn aren weren hasn hadn haven won wouldn couldn shouldn"""
_STOPWORDS: Final = frozenset(_FUNCTION_WORDS.split())
"""English function words, and the pieces that an apostrophe leaves of them."""

_CONTINUATION: Final = "##"


@dataclass(frozen=True, eq=False)
class Tokens:
    """The tokens of one document.

    Attributes:
        token_ids: (tokens,) int64 vocabulary ids.
        sentence_ids: (tokens,) int64 index of each token's sentence, -1 for padding.
        classes: (tokens,) int64 number of each token's `TokenClass`.
    """

    token_ids: Tensor
    sentence_ids: Tensor
    classes: Tensor

    def __post_init__(self) -> None:
        shapes = {tuple(array.shape) for array in (self.token_ids, self.sentence_ids, self.classes)}
        if len(shapes) != 1 or self.token_ids.ndim != 1:
            raise ShapeError(f"expected three arrays (tokens,), got {sorted(shapes)}")

    def __len__(self) -> int:
        return len(self.token_ids)


class TokenClasses:
    """The class of every token of a vocabulary.

    Args:
        tokenizer: with [CLS] and [SEP], or <s> and </s>.

    Raises:
        BundleError: the tokenizer has no token to open and close a sentence with.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        vocabulary = tokenizer.get_vocab(with_added_tokens=True)
        classes = torch.full((max(vocabulary.values()) + 1,), TokenClass.WORD.number)
        for piece, token_id in vocabulary.items():
            classes[token_id] = _classify(_text_of(piece, tokenizer)).number
        cls_id, sep_id = find_cls_and_sep(tokenizer)
        classes[cls_id], classes[sep_id] = TokenClass.CLS.number, TokenClass.SEP.number
        self._classes = classes

    def read(self, token_ids: Tensor, sentence_ids: Tensor) -> Tokens:
        """Give each token of a document its class.

        Args:
            token_ids: (tokens,) int64 of the vocabulary.
            sentence_ids: (tokens,) int64, -1 for padding.

        Returns:
            The tokens, on the device of `token_ids`.

        Raises:
            ShapeError: the two are not (tokens,) each, or an id is outside the vocabulary.
        """
        if len(token_ids) and int(token_ids.max()) >= len(self._classes):
            raise ShapeError(
                f"expected token ids below {len(self._classes)}, got {int(token_ids.max())}: the "
                "document was encoded with another tokenizer"
            )
        classes = self._classes.to(token_ids.device)[token_ids]
        return Tokens(token_ids, sentence_ids, classes)


def _text_of(piece: str, tokenizer: Tokenizer) -> str:
    """The characters that a piece stands for; a continued word keeps its mark."""
    if piece.startswith(_CONTINUATION) or tokenizer.decoder is None:
        return piece
    text: str = tokenizer.decoder.decode([piece])
    return text.strip()


def _classify(text: str) -> TokenClass:
    is_continuation = text.startswith(_CONTINUATION) and text != _CONTINUATION
    characters = text.removeprefix(_CONTINUATION) if is_continuation else text
    if not any(character.isalnum() for character in characters):
        return TokenClass.PUNCTUATION
    if not any(character.isalpha() for character in characters):
        return TokenClass.NUMBER
    if not is_continuation and text.casefold() in _STOPWORDS:
        return TokenClass.STOPWORD
    return TokenClass.WORD
