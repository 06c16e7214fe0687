"""Facts about /info, /openapi.json and /docs: what the service says about itself."""

import hashlib
import re
from html.parser import HTMLParser

import pytest

from service.api.info import read_cpu
from service.api.schemas import SummarizeRequest, SummarizeResponse
from service.inference.bundle import Bundle


@pytest.fixture
def openapi(client):
    return client.get("/openapi.json").json()


def test_info_describes_the_model(client, tiny_bundle):
    info = client.get("/info").json()
    sha256 = hashlib.sha256((tiny_bundle / "model.onnx").read_bytes()).hexdigest()
    assert info["model"]["sha256"] == sha256
    assert info["model"]["version"] == Bundle(tiny_bundle).version
    assert info["model"]["patterns"] == [
        ["matching_token", "intra_sentence", "previous_token", None]
    ]
    assert info["model"]["planReason"] == "to test with"
    (placed,) = info["model"]["placements"]
    assert (placed["layer"], placed["head"], placed["pattern"]) == (0, 1, "intra_sentence")
    assert (placed["teacherLayer"], placed["teacherHead"]) == (3, 8)
    assert placed["note"] == "hardly leaves its sentence"
    assert placed["evidence"]["nDocuments"] == 60
    assert info["quality"][0]["rouge1"] == 40.0
    assert info["faithfulness"]["n"] == 2
    assert info["versions"].keys() >= {"python", "patsum", "onnxruntime", "tokenizers", "nltk"}
    assert info["cpu"]["usableCpus"] >= 1


def test_cpu_features_are_read_from_the_kernel(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name\t: Some CPU\nflags\t\t: fpu avx2 avx512_vnni\n\nflags : sve\n")
    cpu = read_cpu(cpuinfo)
    assert cpu.model == "Some CPU"
    assert cpu.features == ["avx2", "avx512_vnni"]


def test_cpu_without_a_kernel_file_has_no_known_features(tmp_path):
    assert read_cpu(tmp_path / "none").features == []


def test_openapi_refuses_as_the_service_does(openapi):
    for path in ("/v1/summarize", "/v1/explain"):
        responses = openapi["paths"][path]["post"]["responses"]
        refusals = {"400", "401", "406", "408", "413", "415", "422", "429", "500", "503", "504"}
        assert set(responses) == refusals | {"200"}
        for status in refusals:
            assert list(responses[status]["content"]) == ["application/problem+json"]


def test_openapi_names_fields_in_camel_case(openapi):
    schemas = openapi["components"]["schemas"]
    for model in (SummarizeRequest, SummarizeResponse):
        names = schemas[model.__name__]["properties"].keys()
        assert names == {field.alias for field in model.model_fields.values()}
    assert schemas["SummarizeRequest"]["additionalProperties"] is False


def test_openapi_references_lead_somewhere(client, openapi):
    names = set(re.findall(r"#/components/schemas/(\w+)", client.get("/openapi.json").text))
    assert names <= set(openapi["components"]["schemas"])


def test_docs_name_every_path_and_schema_and_load_nothing(client, openapi):
    response = client.get("/docs")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    found = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append((tag, dict(attrs)))

    Reader().feed(response.text)
    ids = {attrs["id"] for _, attrs in found if "id" in attrs}
    links = {attrs["href"] for tag, attrs in found if tag == "a"}
    assert ids == set(openapi["components"]["schemas"])
    assert {link.removeprefix("#") for link in links - {"openapi.json"}} <= ids
    assert not [tag for tag, attrs in found if tag in ("script", "link", "img") or "src" in attrs]
    assert all(f" {path}</code>" in response.text for path in openapi["paths"])
