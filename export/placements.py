"""Why a student's heads carry what they carry: the recipe's words, and what a person decided."""

import dataclasses
from typing import Any

from training.mining.decisions import Decision, Decisions
from training.model.config import Plan
from training.plan import teacher_places
from training.recipe import Recipe


def explain_plan(recipe: Recipe, decisions: Decisions | None, plan: Plan) -> dict[str, Any]:
    """Say why, for the manifest's model entry.

    Args:
        recipe: of the student.
        decisions: that it follows; None where the recipe has a plan. What the person decided since
            it was made, and it does not carry, is left out.
        plan: (layers, heads) what its heads carry.

    Returns:
        `plan_reason`, and `placements`: a row for each head whose pattern a person accepted in the
        teacher's head that it began as, with the note and the evidence, but not the name.

    Raises:
        DataError: several accepted patterns for one head.
        CheckpointError: the recipe's layers are not those of the model that was judged.
    """
    rows = [] if decisions is None else _find_placements(recipe, decisions, plan)
    return {"plan_reason": recipe.plan_reason, "placements": rows}


def _find_placements(recipe: Recipe, decisions: Decisions, plan: Plan) -> list[dict[str, Any]]:
    accepted = decisions.accepted()
    found = {(d.layer, d.head): d for d in decisions.decisions if d.is_accepted and d.injectable}
    places = teacher_places(recipe.student, decisions.model.heads_by_layer)
    return [
        _describe(layer, head, found[place])
        for layer, row in enumerate(places)
        for head, place in enumerate(row)
        if place in accepted and plan[layer][head] is accepted[place]
    ]


def _describe(layer: int, head: int, decision: Decision) -> dict[str, Any]:
    return {
        "layer": layer,
        "head": head,
        "pattern": decision.pattern,
        "teacher_layer": decision.layer,
        "teacher_head": decision.head,
        "note": decision.note,
        "evidence": decision.evidence and dataclasses.asdict(decision.evidence),
    }
