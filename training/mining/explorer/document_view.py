"""One document as the page shows it: its text cut where the model's tokens begin."""

from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from service.text.select import LengthRule, Redundancy, select_sentences
from training.data.examples import Example, ExampleStore

_RULE = LengthRule(sentence_count=3)


def view_document(
    store: ExampleStore, number: int, tokenizer: Tokenizer, logits: npt.NDArray[np.float32]
) -> dict[str, Any]:
    """Describe a document for the page.

    Args:
        store: prepared examples.
        number: place in the store.
        tokenizer: that of the run.
        logits: (sentences,) float32 of the model.

    Returns:
        JSON: `number`, `id`, `summary` (the human one), and `sentences`, each with `first` (number
        of its first token), `tokens` (see `_view_tokens`), `rest` (text that was not read),
        `score` (0 to 1), `isChosen` by the model and `isOracle`.
    """
    row = store.article(number)
    example = store[number]
    chosen = set(select_sentences(logits, row["sentences"], _RULE, Redundancy.TRIGRAM))
    firsts = np.searchsorted(example.sentence_ids, np.arange(len(row["sentences"]) + 1))
    sentences = []
    for index, text in enumerate(row["sentences"]):
        ids = example.token_ids[firsts[index] : firsts[index + 1]].tolist()
        tokens, rest = _view_tokens(text, ids, tokenizer)
        sentences.append(
            {
                "first": int(firsts[index]),
                "tokens": tokens,
                "rest": rest,
                "score": round(float(1 / (1 + np.exp(-logits[index]))), 4),
                "isChosen": index in chosen,
                "isOracle": bool(example.soft_labels[index] == 1.0),
            }
        )
    return {
        "number": number,
        "id": row["id"],
        "summary": row["summary"],
        "nTokens": len(example.token_ids),
        "sentences": sentences,
    }


def first_words(store: ExampleStore, number: int, n_characters: int = 120) -> str:
    """The beginning of a document's first sentence, on one line."""
    sentence = " ".join(store.article(number)["sentences"][0].split())
    return sentence if len(sentence) <= n_characters else sentence[: n_characters - 1] + "…"


def token_names(example: Example, tokenizer: Tokenizer) -> list[str]:
    """The vocabulary's name of each token."""
    return [str(tokenizer.id_to_token(int(i))) for i in example.token_ids]


def _view_tokens(
    text: str, ids: list[int], tokenizer: Tokenizer
) -> tuple[list[dict[str, Any]], str]:
    """Cut a sentence at its tokens.

    Returns:
        A token each, [CLS] and [SEP] included: `text` as it stands in the sentence, `before` (white
        space between it and the one before), `isSpecial`; and the text after the last one read.
    """
    encoding = tokenizer.encode(text, add_special_tokens=False)
    words = ids[1:-1]
    views = [{"text": tokenizer.id_to_token(ids[0]), "before": "", "isSpecial": True}]
    end = 0
    for start, stop in encoding.offsets[: len(words)]:
        start = max(start, end)  # bytes of one character may be several tokens
        views.append({"text": text[start:stop], "before": text[end:start], "isSpecial": False})
        end = max(end, stop)
    views.append({"text": tokenizer.id_to_token(ids[-1]), "before": "", "isSpecial": True})
    return views, text[end:]
