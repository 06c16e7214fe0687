"""Facts about the OpenAPI description: it is complete, true, and the committed one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import schemathesis

from service.api.app import create_app
from service.api.openapi import REFUSALS
from service.api.openapi_file import write_openapi
from service.api.problems import ProblemKind
from service.api.settings import Settings

COMMITTED = Path(__file__).parents[3] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def described():
    return json.loads(write_openapi())


def operations(described):
    return [
        (path, method, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def test_committed_description_is_that_of_the_code():
    assert COMMITTED.read_text(encoding="utf-8") == write_openapi(), (
        "docs/openapi.json is stale; if the change of the API is wanted, renew it:\n"
        "    python -m service.api.openapi_file > docs/openapi.json"
    )


def test_description_is_written_alike_in_any_process_and_surroundings(tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "service.api.openapi_file"],
        cwd=COMMITTED.parents[1],
        env={"PATSUM_MAX_DOCUMENTS": "3", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
    )
    assert run.stderr == ""
    assert run.stdout == write_openapi()


def test_running_service_serves_the_description(client, described):
    assert client.get("/openapi.json").json() == described


def test_description_is_valid_for_another_reader(described):
    schemathesis.openapi.from_dict(described).validate()


def test_each_operation_has_its_own_name_and_says_what_it_does(described):
    names = [operation["operationId"] for _, _, operation in operations(described)]
    assert len(names) == len(set(names))
    for _, _, operation in operations(described):
        assert operation["description"]
        assert "500" in operation["responses"]
        assert list(operation["responses"]) == sorted(operation["responses"])
        for response in operation["responses"].values():
            assert response["headers"]["X-Request-Id"]["required"]


def test_refusals_have_the_form_of_their_protocol(described):
    for path, _, operation in operations(described):
        kind, name = ("application/problem+json", "Problem")
        if path.startswith("/v2"):
            kind, name = ("application/json", "OpenInferenceError")
        for status, response in operation["responses"].items():
            if status != "200":
                schema = {"$ref": f"#/components/schemas/{name}"}
                assert response["content"] == {kind: {"schema": schema}}
            if status in ("429", "503"):
                assert response["headers"]["Retry-After"]["required"]


def test_every_refusal_of_the_code_is_described():
    by_the_framework = {"405"}  # only for methods that are not described
    statuses = {str(kind.status) for kind in ProblemKind}
    assert statuses - set(REFUSALS) == by_the_framework


def test_all_that_does_work_may_ask_for_the_key(described):
    for path, _, operation in operations(described):
        is_open = path in ("/livez", "/readyz") or (
            path.startswith("/v2") and not path.endswith("/infer")
        )
        expected = None if is_open else [{}, {"bearer": []}]
        assert operation.get("security") == expected, path


def test_nothing_is_described_that_nothing_refers_to(described):
    text = json.dumps(described["paths"]) + json.dumps(described["components"]["schemas"])
    for name in described["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text, name


def test_examples_are_answered(client, described):
    n_examples = 0
    for path, method, operation in operations(described):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            version = client.get("/v2/models/patsum-tiny").json()["versions"][0]
            url = path.format(model_name="patsum-tiny", model_version=version)
            response = client.request(method, url, json=content["example"])
            assert response.status_code == 200, (path, response.text)
            n_examples += 1
    assert n_examples == 4


def test_settings_change_nothing(described, tmp_path):
    other = Settings(bundle=tmp_path, metrics_port=0, max_documents=3, port=1)
    assert create_app(other).openapi() == described
