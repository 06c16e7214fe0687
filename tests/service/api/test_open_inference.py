"""Facts about the Open Inference Protocol: a real Triton client gets the summaries of /v1."""

import json
import struct

import httpx
import numpy as np
import pytest
import tritonclient.http
from tritonclient.utils import InferenceServerException

from service.api.settings import Settings

MODEL = "/v2/models/patsum-tiny"
ODD_TEXT = "The ferry 🚢 left. The mayor\0 said 👩‍👩‍👧‍👦 no. אבג דה. The storm came."


@pytest.fixture(scope="module")
def triton(server_url):
    """A real client of Triton in front of a real server."""
    with tritonclient.http.InferenceServerClient(server_url.removeprefix("http://")) as client:
        yield client


def text_input(texts, is_binary):
    array = np.array([text.encode() for text in texts], dtype=object)
    tensor = tritonclient.http.InferInput("text", array.shape, "BYTES")
    tensor.set_data_from_numpy(array, binary_data=is_binary)
    return tensor


def infer_body(*texts, **more):
    tensor = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts)}
    return {"inputs": [tensor], **more}


def infer(client, body, path=f"{MODEL}/infer", **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return client.post(path, content=content, headers=headers)


def check_error(response, status):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    assert response.json().keys() == {"error"}
    return response.json()["error"]


def summaries(client, *texts, **options):
    body = {"documents": [{"text": text} for text in texts], **options}
    content = json.dumps(body)
    headers = {"Content-Type": "application/json"}
    return client.post("/v1/summarize", content=content, headers=headers).json()["documents"]


def test_triton_client_finds_the_server_and_the_model(triton):
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = triton.get_model_metadata("patsum-tiny")
    (version,) = metadata["versions"]
    assert triton.is_model_ready("patsum-tiny")
    assert triton.is_model_ready("patsum-tiny", version)
    assert triton.get_model_metadata("patsum-tiny", version) == metadata
    assert not triton.is_model_ready("patsum-tiny", "1")
    assert not triton.is_model_ready("another")
    assert metadata["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert [output["name"] for output in metadata["outputs"]] == ["summary", "scores"]


@pytest.mark.parametrize("is_binary_input", [True, False])
@pytest.mark.parametrize("binary_outputs", [None, True, False])
def test_triton_client_gets_the_summaries_of_v1(
    triton, client, text, is_binary_input, binary_outputs
):
    outputs = binary_outputs is not None and [
        tritonclient.http.InferRequestedOutput(name, binary_data=binary_outputs)
        for name in ("summary", "scores")
    ]
    result = triton.infer(
        "patsum-tiny",
        [text_input([text, ODD_TEXT, "A storm."], is_binary_input)],
        outputs=outputs or None,
        request_id="r7",
        parameters={"sentence_count": 2, "sort_by": "Rank"},
    )
    documents = summaries(client, text, ODD_TEXT, "A storm.", sentenceCount=2, sortBy="Rank")
    summary = [s if isinstance(s, str) else s.decode() for s in result.as_numpy("summary")]
    assert summary == [document["summary"] for document in documents]
    scores = [[s["rankScore"] for s in document["sentences"]] for document in documents]
    scores[2].append(-1)
    assert result.as_numpy("scores").dtype == np.float32
    np.testing.assert_array_equal(result.as_numpy("scores"), np.array(scores, np.float32))
    assert result.get_response()["id"] == "r7"


def test_triton_client_can_name_the_version_and_one_output(triton):
    (version,) = triton.get_model_metadata("patsum-tiny")["versions"]
    wanted = [tritonclient.http.InferRequestedOutput("scores", binary_data=True)]
    tensor = text_input(["A storm came."], True)
    result = triton.infer("patsum-tiny", [tensor], model_version=version, outputs=wanted)
    assert result.as_numpy("summary") is None
    assert result.as_numpy("scores").shape == (1, 1)
    assert result.get_response()["model_version"] == version


def test_triton_client_is_told_why_in_words(triton):
    with pytest.raises(InferenceServerException, match=r"text\[1\]: expected some text") as caught:
        triton.infer("patsum-tiny", [text_input(["A storm came.", " "], True)])
    assert caught.value.status() == "400"
    with pytest.raises(InferenceServerException, match="expected the model patsum-tiny") as caught:
        triton.infer("another", [text_input(["A storm came."], True)])
    assert caught.value.status() == "404"


def test_triton_client_that_compresses_is_told_not_to(triton):
    with pytest.raises(InferenceServerException, match="Content-Encoding") as caught:
        triton.infer(
            "patsum-tiny",
            [text_input(["A storm came."], True)],
            request_compression_algorithm="gzip",
        )
    assert caught.value.status() == "415"


def test_summary_without_a_sentence_has_an_empty_row(triton, client):
    for is_binary in (True, False):
        body = infer_body("A storm came.", parameters={"max_characters": 1})
        body["parameters"]["binary_data_output"] = is_binary
        response = infer(client, body)
        assert response.status_code == 200
    assert response.json()["outputs"] == [
        {"name": "summary", "datatype": "BYTES", "shape": [1], "data": [""]},
        {"name": "scores", "datatype": "FP32", "shape": [1, 0], "data": []},
    ]
    result = triton.infer(
        "patsum-tiny", [text_input(["A storm came."], True)], parameters={"max_characters": 1}
    )
    assert result.as_numpy("scores").shape == (1, 0)


def test_lone_surrogate_survives_in_json_and_in_bytes(client):
    text = "The storm \ud800 came."
    response = infer(client, infer_body(text))
    assert response.json()["outputs"][0]["data"] == [text]
    encoded = text.encode("utf-8", "surrogatepass")
    data = struct.pack("<I", len(encoded)) + encoded
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES"}
    tensor["parameters"] = {"binary_data_size": len(data)}
    body = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    head = json.dumps(body).encode()
    response = infer(client, head + data, Inference_Header_Content_Length=str(len(head)))
    assert response.headers["content-type"] == "application/octet-stream"
    n_json = int(response.headers["inference-header-content-length"])
    outputs = json.loads(response.content[:n_json])["outputs"]
    assert outputs[0]["parameters"] == {"binary_data_size": len(data)}
    assert response.content[n_json:][: len(data)] == data


def binary_body(data, /, size=None, n_json=None, **tensor):
    size = len(data) if size is None else size
    tensor = {
        "name": "text",
        "shape": [1],
        "datatype": "BYTES",
        "parameters": {"binary_data_size": size},
    } | tensor
    head = json.dumps({"inputs": [tensor]}).encode()
    header = str(len(head) if n_json is None else n_json)
    return head + data, {"Inference_Header_Content_Length": header}


@pytest.mark.parametrize(
    ("body", "headers", "hint"),
    [
        (*binary_body(b"\5\0\0\0Rain."), None),
        (*binary_body(b"\4\0\0\0Rain."), "an end inside element 1"),
        (*binary_body(b"\6\0\0\0Rain."), "an end inside element 0"),
        (*binary_body(b"\5\0\0"), "an end inside element 0"),
        (*binary_body(b"\xff\xff\xff\xffRain."), "an end inside element 0"),
        (*binary_body(b"\2\0\0\0a\xff"), "a byte that is not UTF-8 at 1 of element 0"),
        (*binary_body(b"\5\0\0\0Rain.", shape=[2]), "the shape [1] of its data, got [2]"),
        (*binary_body(b"\5\0\0\0Rain.", size=8), "8 bytes of binary data behind the JSON, got 9"),
        (*binary_body(b"\5\0\0\0Rain.", data=["Rain."]), "got both"),
        (*binary_body(b"\5\0\0\0Rain.", parameters={}), "got neither"),
        (*binary_body(b"\5\0\0\0Rain.", n_json=10_000), "up to the body's "),
        (*binary_body(b"\5\0\0\0Rain.", n_json=-1), "up to the body's "),
        (*binary_body(b"\5\0\0\0Rain.", n_json=10), "expected one JSON object"),
        (binary_body(b"\5\0\0\0Rain.")[0], {}, "expected one JSON object"),
    ],
)
def test_binary_data_are_read_exactly_or_refused(client, body, headers, hint):
    response = infer(client, body, **headers)
    if hint is None:
        assert response.status_code == 200
    else:
        assert hint in check_error(response, 400)


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (b"", "got an error at line 1"),
        ([], "#: expected"),
        ({}, "#/inputs: expected this field"),
        ({"inputs": []}, "#/inputs: "),
        ({"inputs": infer_body("A.")["inputs"] * 2}, "#/inputs: "),
        (infer_body(), "#/inputs/0/shape/0: expected a number greater than or equal to 1"),
        (infer_body("A storm.", 7), "#/inputs/0/data/1: expected a valid string"),
        (infer_body("A storm.", outputs=[{"name": "offsets"}]), "#/outputs/0/name: "),
        (infer_body("A storm.", outputs=[{"name": "scores"}] * 2), "expected each output once"),
        (infer_body("A storm.", parameters={"explain": True}), "#/parameters/explain: "),
        (infer_body("A storm.", parameters={"sentence_count": 0}), "#/parameters/sentence_count: "),
        (
            infer_body("A storm.", parameters={"ratio": 0.5, "max_characters": 9}),
            "#/parameters/max_characters: expected at most one of sentence_count, ratio",
        ),
        (infer_body("A storm.", parameters={"language": "de"}), "text[0]: expected a language"),
    ],
)
def test_tensors_without_a_meaning_are_400_in_words(client, body, hint):
    assert hint in check_error(infer(client, body), 400)


def test_all_refusals_below_v2_have_the_form_of_the_protocol(client):
    check_error(client.get("/v2/nothing"), 404)
    check_error(client.get("/v2/models/another"), 404)
    check_error(client.get(f"{MODEL}/versions/1"), 404)
    check_error(infer(client, infer_body("A."), f"{MODEL}/versions/1/infer"), 404)
    check_error(client.get(f"{MODEL}/infer"), 405)
    check_error(infer(client, infer_body("A."), Content_Type="text/plain"), 415)
    assert client.get("/v2nothing").headers["content-type"] == "application/problem+json"


def test_limits_are_those_of_v1(tiny_bundle, start_client):
    limits = {"max_body_bytes": 300, "max_documents": 2, "max_characters": 30}
    with start_client(Settings(bundle=tiny_bundle, metrics_port=0, **limits)) as small:
        assert infer(small, infer_body("A storm came.", "A" * 17)).status_code == 200
        assert "2 documents" in check_error(infer(small, infer_body("A.", "B.", "C.")), 413)
        assert "30 characters" in check_error(infer(small, infer_body("A" * 31)), 413)
        assert "300 bytes" in check_error(infer(small, infer_body("A" * 300)), 413)


def test_server_that_is_not_ready_is_alive_and_refuses(start_client, tmp_path):
    with start_client(Settings(bundle=tmp_path, metrics_port=0)) as broken:
        assert broken.get("/v2/health/live").json() == {"live": True}
        assert broken.get("/v2").status_code == 200
        for path in ("/v2/health/ready", MODEL, f"{MODEL}/ready"):
            assert "expected a ready service" in check_error(broken.get(path), 503)
        response = infer(broken, infer_body("A storm came."))
        check_error(response, 503)
        assert response.headers["retry-after"]


def test_unforeseen_error_has_the_form_of_the_protocol(settings, start_client, monkeypatch):
    with start_client(settings) as client:
        monkeypatch.setattr("service.inference.summarizer.Summarizer.summarize", raise_secret)
        assert "secret" not in check_error(infer(client, infer_body("A storm.")), 500)


def raise_secret(*args, **kwargs):
    raise RuntimeError("secret")


def test_same_bytes_without_a_content_type_and_with_either(server_url, text):
    content = json.dumps(infer_body(text))
    kinds = [{}, {"Content-Type": "application/octet-stream"}, {"Content-Type": "application/json"}]
    answers = {
        httpx.post(f"{server_url}{MODEL}/infer", content=content, headers=headers).content
        for headers in kinds
    }
    assert len(answers) == 1
    assert b'"summary"' in answers.pop()
