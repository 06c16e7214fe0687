"""Facts about why a bundle says that its heads carry what they carry."""

import dataclasses

import pytest

from export.placements import explain_plan
from training.mining.decisions import (
    Decision,
    Decisions,
    Evidence,
    JudgedDocuments,
    JudgedModel,
    Verdict,
    now,
)
from training.model.patterns import Pattern
from training.recipe import Recipe, StudentRecipe

EVIDENCE = Evidence(relevance=0.5, lift=7.0, z=2.5, low=0.25, high=0.75, n_documents=60)


def decide(layer, head, pattern, verdict=Verdict.ACCEPTED, evidence=EVIDENCE):
    return Decision(layer, head, pattern, verdict, "Ada", now(), "a note", evidence)


@pytest.fixture
def decisions():
    return Decisions(
        JudgedModel("0" * 64, layers=6, heads=4),
        JudgedDocuments("articles"),
        (
            decide(0, 3, "next_token"),
            decide(2, 1, "lead(1)"),
            decide(2, 1, "matching_token"),
            decide(2, 3, "intra_sentence", evidence=None),
            decide(2, 2, "previous_token", Verdict.REJECTED),
        ),
    )


def recipe(**student):
    return Recipe("tiny", "by hand", student=StudentRecipe(decisions="decisions.json", **student))


def test_heads_say_which_heads_of_the_teacher_a_person_looked_at_and_what_was_measured(decisions):
    plan = (None, Pattern.NEXT_TOKEN), (Pattern.INTRA_SENTENCE, Pattern.MATCHING_TOKEN)
    explained = explain_plan(recipe(layers=(1, 2), heads=((3, 1),)), decisions, plan)
    assert explained["plan_reason"] == "by hand"
    assert explained["placements"] == [
        {
            "layer": 1,
            "head": 0,
            "pattern": "intra_sentence",
            "teacher_layer": 2,
            "teacher_head": 3,
            "note": "a note",
            "evidence": None,
        },
        {
            "layer": 1,
            "head": 1,
            "pattern": "matching_token",
            "teacher_layer": 2,
            "teacher_head": 1,
            "note": "a note",
            "evidence": dataclasses.asdict(EVIDENCE),
        },
    ]


def test_plan_of_a_recipe_has_the_recipes_reason_alone():
    assert explain_plan(Recipe("tiny"), None, ((None,),)) == {"plan_reason": "", "placements": []}


def test_decision_that_came_after_the_student_is_not_claimed_of_it(decisions):
    plan = ((Pattern.INTRA_SENTENCE, Pattern.PREVIOUS_TOKEN),)
    explained = explain_plan(recipe(layers=(2,), heads=((3, 1),)), decisions, plan)
    assert [row["head"] for row in explained["placements"]] == [0]
