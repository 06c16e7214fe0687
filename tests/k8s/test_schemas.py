"""Facts about the manifests' form: every object obeys its schema, and no field is unknown to it.

Kubernetes' own schemas come with kubernetes-validate. Those of the custom resources are ours, in
`schemas/`: they know the documented fields that we use, and refuse every other.
"""

import json
from copy import deepcopy
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest

SCHEMAS = {
    schema["title"]: schema
    for schema in (
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((Path(__file__).parent / "schemas").glob("*.json"))
    )
}
OLDEST, NEWEST = "1.30", "1.37"
"""The oldest release that knows all that the base uses, and the newest with a schema."""

KSERVE_FIELDS = {"minReplicas", "maxReplicas", "scaleMetric", "scaleTarget", "timeout"}
"""What a predictor has beside the fields of a pod."""


def name_kind(made):
    return f"{made['apiVersion']}/{made['kind']}"


def check_strictly(made, version=NEWEST):
    """Check an object against its schema; a kind without one is an error too."""
    schema = SCHEMAS.get(name_kind(made))
    if schema is None:
        kubernetes_validate.validate(made, version, strict=True)
    else:
        jsonschema.Draft202012Validator(schema).validate(made)


def predictor_pod(made):
    """Give the pod that an InferenceService describes."""
    spec = {k: v for k, v in made["spec"]["predictor"].items() if k not in KSERVE_FIELDS}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "predictor"}, "spec": spec}


def test_every_object_obeys_its_schema_strictly(everything):
    for where, made in everything:
        try:
            check_strictly(made)
        except (kubernetes_validate.ValidationError, jsonschema.ValidationError) as error:
            pytest.fail(f"{where}: {made['kind']}: {error}")


def test_the_base_needs_no_newer_kubernetes_than_1_30(base):
    for made in base.values():
        kubernetes_validate.validate(made, OLDEST, strict=True)


def test_the_predictor_is_a_valid_pod(everything):
    (made,) = [made for _, made in everything if made["kind"] == "InferenceService"]
    kubernetes_validate.validate(predictor_pod(made), NEWEST, strict=True)


def test_an_unknown_field_is_refused_in_every_kind(everything):
    for _, made in everything:
        wrong = deepcopy(made) | {"replicass": 2}
        with pytest.raises((kubernetes_validate.ValidationError, jsonschema.ValidationError)):
            check_strictly(wrong)


def test_our_schemas_are_sound_and_all_used(everything):
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert set(SCHEMAS) <= {name_kind(made) for _, made in everything}
