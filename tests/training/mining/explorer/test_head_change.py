"""Facts about changed heads: a model built with the patterns agrees with one changed to them."""

import dataclasses

import pytest
import torch

from service.errors import DataError
from tests.tiny_bundle import tiny_tokenizer
from tests.tiny_model import UNEVEN, tiny_model
from training.mining.explorer.head_change import Change, HeadChange, changed_heads, check_changes
from training.mining.predicates import parse
from training.mining.tokens import TokenClasses
from training.model.config import Positions
from training.model.extractive_model import ExtractiveModel
from training.model.patterns import Pattern, Unmatched

FREE = ((None,) * 4,) * 2
MATCHING, INTRA, PREVIOUS, NEXT = Pattern
PREDICATES = {
    MATCHING: "same_token",
    INTRA: "same_sentence",
    PREVIOUS: "previous",
    NEXT: "next",
}
SENTENCES = ("the mayor met the council", "the ferry was new in 18", "the mayor would like it")


def free_model():
    return tiny_model(plan=FREE, positions=Positions.DOCUMENT, is_structured=False).eval()


def one_document():
    """Token and sentence ids of a document with copies, a number and several sentences."""
    tokenizer = tiny_tokenizer()
    token_ids, sentence_ids = [], []
    for number, sentence in enumerate(SENTENCES):
        words = tokenizer.encode(sentence, add_special_tokens=False).ids
        token_ids += [2, *words, 3]
        sentence_ids += [number] * (len(words) + 2)
    return torch.tensor([token_ids]), torch.tensor([sentence_ids])


def read_changed(model, changes):
    token_ids, sentence_ids = one_document()
    tokens = TokenClasses(tiny_tokenizer()).read(token_ids[0], sentence_ids[0])
    with torch.no_grad(), changed_heads(model, changes, tokens):
        return model(token_ids, sentence_ids, model.new_record())


@pytest.mark.parametrize("unmatched", list(Unmatched))
def test_changed_model_answers_as_one_built_with_the_patterns(unmatched):
    free = free_model()
    plan = ((MATCHING, None, PREVIOUS, INTRA), (None, NEXT, MATCHING, None))
    config = dataclasses.replace(free.config, plan=plan, unmatched=unmatched)
    patterned = ExtractiveModel(config).eval()
    patterned.load_state_dict(free.state_dict())
    changes = [
        HeadChange(
            layer,
            head,
            Change.FIX if pattern in config.fixed else Change.MASK,
            parse(PREDICATES[pattern]),
            unmatched if pattern is MATCHING else Unmatched.SELF,
        )
        for layer, row in enumerate(plan)
        for head, pattern in enumerate(row)
        if pattern is not None
    ]
    with torch.no_grad():
        expected = patterned(*one_document())
        before = free(*one_document())
    changed = read_changed(free, changes)
    torch.testing.assert_close(changed, expected, atol=2e-6, rtol=1e-5)
    assert not torch.allclose(before, expected, atol=1e-4)


def test_pruned_head_is_one_whose_output_weights_are_zero():
    free, zeroed = free_model(), free_model()
    width = zeroed.config.width // 4
    with torch.no_grad():
        zeroed.encoder.layers[1].attention.output.weight[:, 2 * width : 3 * width] = 0
        expected = zeroed(*one_document())
    changed = read_changed(free, [HeadChange(1, 2, Change.PRUNE)])
    torch.testing.assert_close(changed, expected, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("place", [(0, 1), (1, 3)])
def test_head_of_a_layer_of_its_own_width_is_pruned_by_itself(place):
    model, zeroed = (tiny_model(**UNEVEN, is_structured=False).eval() for _ in range(2))
    layer, head = place
    with torch.no_grad():
        zeroed.encoder.layers[layer].attention.output.weight[:, 8 * head : 8 * head + 8] = 0
        expected = zeroed(*one_document())
    check_changes(model, [HeadChange(*place, Change.PRUNE)])
    changed = read_changed(model, [HeadChange(*place, Change.PRUNE)])
    torch.testing.assert_close(changed, expected, atol=2e-6, rtol=1e-5)


def test_head_that_a_layer_has_not_cannot_be_changed():
    with pytest.raises(DataError, match="2 layers with 2, 4 heads, got layer 0, head 2"):
        check_changes(tiny_model(**UNEVEN), [HeadChange(0, 2, Change.PRUNE)])


def test_model_is_itself_again_afterwards():
    free = free_model()
    with torch.no_grad():
        before = free(*one_document())
    with pytest.raises(ZeroDivisionError):
        fail_inside(free)
    with torch.no_grad():
        torch.testing.assert_close(free(*one_document()), before, atol=0, rtol=0)


def fail_inside(model):
    token_ids, sentence_ids = one_document()
    tokens = TokenClasses(tiny_tokenizer()).read(token_ids[0], sentence_ids[0])
    with changed_heads(model, [HeadChange(0, 0, Change.PRUNE)], tokens):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([], "at least one head"),
        ([HeadChange(0, 4, Change.PRUNE)], "2 layers x 4 heads"),
        ([HeadChange(0, 0, Change.PRUNE)] * 2, "one change a head"),
        ([HeadChange(0, 0, Change.MASK)], "expected a predicate"),
        ([HeadChange(0, 0, Change.PRUNE, parse("cls"))], "none for prune"),
        ([HeadChange(0, 2, Change.MASK, parse("cls"))], "no Q and K to mask"),
    ],
)
def test_impossible_changes_are_named(changes, words):
    with pytest.raises(DataError, match=words):
        check_changes(tiny_model(), changes)
