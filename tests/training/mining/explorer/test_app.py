"""Facts about what the explorer's page can ask, over HTTP, on a tiny run."""

import json
from time import monotonic

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

from training.mining.explorer.app import create_app
from training.mining.predicates import parse

END_S = 60


@pytest.fixture
def explorer(make_explorer):
    return make_explorer()


@pytest.fixture
def client(explorer):
    with TestClient(create_app([explorer]), base_url="http://127.0.0.1") as client:
        yield client


def wait(client, response, stage="teacher"):
    """The job that a response started, once it has ended."""
    assert response.status_code == 202, response.text
    job = response.json()
    until_s = monotonic() + END_S
    while job["state"] in ("waiting", "running"):
        assert monotonic() < until_s, job
        job = client.get(f"/api/{stage}/jobs/{job['number']}").json()
    return job


def test_run_names_its_model_heads_and_documents(client):
    run = client.get("/api/teacher/run").json()
    assert (run["stage"], run["layers"], run["heads"]) == ("teacher", 2, [4, 4])
    assert [row["number"] for row in run["documents"]] == [0, 1, 2, 3]
    assert run["nHeld"] == 2
    assert all(0 <= row["rouge1"] <= 100 for row in run["documents"])


def test_teacher_and_student_answer_side_by_side_each_for_itself(make_explorer):
    app = create_app([make_explorer("teacher"), make_explorer("student")])
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/api/models").json() == ["teacher", "student"]
        runs = {stage: client.get(f"/api/{stage}/run").json() for stage in ("teacher", "student")}
        assert runs["teacher"]["model"] != runs["student"]["model"]
        assert runs["teacher"]["plan"][0] == [None] * 4
        assert runs["student"]["plan"][0][0] == "matching_token"
        looks = [
            client.get(f"/api/{stage}/documents/1/heads/0/0").content
            for stage in ("teacher", "student")
        ]
        assert len(looks[0]) == len(looks[1])
        assert looks[0] != looks[1]
        assert client.get("/api/other/run").status_code == 404


def test_student_names_the_teachers_heads_that_its_heads_began_as(make_explorer, run_copy):
    assert make_explorer().describe()["origins"] is None
    origins = make_explorer("student").describe()["origins"]
    assert origins == (((0, 3), (0, 1), (0, 0), (0, 2)), ((1, 3), (1, 1), (1, 0), (1, 2)))
    recipe = run_copy / "recipe.toml"
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace("layers = [0, 1]", "layers = [1]"), encoding="utf-8")
    assert make_explorer("student").describe()["origins"] is None  # it is of another recipe


@pytest.mark.usefixtures("uneven_student")
def test_student_that_took_all_heads_began_with_those_of_its_own_layers(make_explorer, run_copy):
    recipe = run_copy / "recipe.toml"
    text = recipe.read_text(encoding="utf-8")
    changed = text.replace("heads = [[3, 1], [2, 0, 3, 1]]", "").replace("[0, 1]", "[2, 0]")
    recipe.write_text(changed, encoding="utf-8")
    origins = make_explorer("student").describe()["origins"]
    assert origins == (((2, 0), (2, 1)), ((0, 0), (0, 1), (0, 2), (0, 3)))


@pytest.fixture
def uneven(uneven_student, make_explorer):
    """Ask about a student whose first layer has two heads and whose second has four."""
    app = create_app([make_explorer("teacher"), make_explorer("student")])
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def test_uneven_student_names_its_heads_and_where_they_began(uneven):
    run = uneven.get("/api/student/run").json()
    assert run["heads"] == [2, 4]
    assert [len(row) for row in run["plan"]] == [2, 4]
    assert run["origins"] == [[[0, 3], [0, 1]], [[1, 2], [1, 0], [1, 3], [1, 1]]]
    for score in run["importance"].values():
        for values in score.values():
            assert values[0][2:] == [None, None]
            assert all(value >= 0 for value in (*values[0][:2], *values[1]))
    assert uneven.get("/api/teacher/run").json()["heads"] == [4, 4]


def test_uneven_student_has_a_map_and_a_thumbnail_of_each_head_that_is_there(uneven):
    n = uneven.get("/api/student/documents/1").json()["nTokens"]
    size = uneven.get("/api/student/run").json()["thumbnailSize"]
    content = uneven.get("/api/student/documents/1/thumbnails").content
    thumbnails = np.frombuffer(content, dtype=np.uint8).reshape(6, size, size)
    for place, (layer, head) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (1, 3)]):
        content = uneven.get(f"/api/student/documents/1/heads/{layer}/{head}").content
        largest = np.frombuffer(content[: 4 * n], dtype="<f4")[:, None]
        levels = np.frombuffer(content[4 * n :], dtype=np.uint8).reshape(n, n)
        weights = torch.tensor(levels / 255 * largest)
        pooled = torch.nn.functional.adaptive_max_pool2d(weights[None], size)[0].numpy()
        shares = (thumbnails[place] / 255) ** 2
        np.testing.assert_allclose(shares, pooled / pooled.max(), atol=0.01)
    answer = uneven.get("/api/student/documents/1/heads/0/2")
    assert answer.status_code == 422
    assert "2 layers with 2, 4 heads, got layer 0, head 2" in answer.json()["detail"]


def test_uneven_student_is_measured_where_it_has_heads(uneven, make_explorer):
    body = {"predicates": ["next", "self and not self"]}
    found = wait(uneven, uneven.post("/api/student/relevance", json=body), "student")["result"]
    for text in body["predicates"]:
        for values in ("relevance", "low", "high", "lift", "z", "carries"):
            rows = found[text][values]
            assert [[value is None for value in row] for row in rows] == [
                [False, False, True, True],
                [False] * 4,
            ]
    assert found["next"]["relevance"][0][1] == pytest.approx(1.0, abs=1e-4)
    assert make_explorer("student").measured() == found  # read back from the run folder
    params = {"predicate": "next"}
    here = uneven.get("/api/student/documents/1/relevance", params=params).json()["relevance"]
    assert here[0][1:] == [pytest.approx(1.0, abs=1e-4), None, None]


def test_head_that_an_uneven_student_has_not_is_neither_changed_nor_decided_about(uneven):
    words = "2 layers with 2, 4 heads, got layer 0, head 3"
    prune = {"changes": [{"layer": 0, "head": 3, "change": "prune"}]}
    assert words in uneven.post("/api/student/what-if", json=prune).json()["detail"]
    wait(uneven, uneven.post("/api/student/relevance", json={"predicates": ["next"]}), "student")
    body = {"layer": 0, "head": 3, "predicate": "next", "verdict": "accepted"}
    refused = uneven.post("/api/student/board", json=body)
    assert refused.status_code == 422
    assert words in refused.json()["detail"]
    assert uneven.post("/api/student/board", json={**body, "head": 1}).status_code == 200
    residual = uneven.get("/api/student/documents/1/residual").json()["relevance"]
    assert 0 < residual[0][1] < 0.02  # the last token's own
    assert residual[0][2:] == [None, None]
    prune["changes"] = [{"layer": 1, "head": head, "change": "prune"} for head in range(4)]
    job = wait(uneven, uneven.post("/api/student/what-if", json=prune), "student")
    assert abs(job["result"]["loss"]["difference"]) > 1e-6


def test_uneven_importance_goes_on_where_a_start_was_stopped(uneven, make_explorer, run_copy):
    whole = uneven.get("/api/student/run").json()["importance"]
    path = run_copy / "student" / "explorer" / "importance.jsonl"
    kept = path.read_text(encoding="utf-8")
    assert "NaN" not in kept
    path.write_text("".join(kept.splitlines(keepends=True)[:3]), encoding="utf-8")
    assert make_explorer("student").describe()["importance"] == whole
    assert path.read_text(encoding="utf-8") == kept


def test_tokens_put_together_are_the_documents_sentences(client, explorer):
    for number in range(4):
        view = client.get(f"/api/teacher/documents/{number}").json()
        texts = [
            "".join(t["before"] + t["text"] for t in s["tokens"] if not t["isSpecial"]) + s["rest"]
            for s in view["sentences"]
        ]
        assert texts == explorer.exhibit.store.article(number)["sentences"]
        assert sum(len(s["tokens"]) for s in view["sentences"]) == view["nTokens"]
        firsts = np.cumsum([0, *(len(s["tokens"]) for s in view["sentences"][:-1])])
        assert [s["first"] for s in view["sentences"]] == firsts.tolist()


@pytest.mark.parametrize("stage", ["teacher", "student"])
def test_head_map_in_bytes_is_the_models_attention(make_explorer, stage):
    explorer = make_explorer(stage)
    client = TestClient(create_app([explorer]), base_url="http://127.0.0.1")
    model, example = explorer.exhibit.model, explorer.exhibit.store[1]
    n = len(example.token_ids)
    record = model.new_record()
    model(
        torch.from_numpy(example.token_ids)[None],
        torch.from_numpy(example.sentence_ids)[None],
        record,
    )
    for layer, plan in enumerate(model.config.plan):
        for head, pattern in enumerate(plan):
            alike = [h for h, other in enumerate(plan) if other == pattern]
            recorded = record.token_layers[layer].weights[pattern]
            expected = recorded[0, alike.index(head)].numpy()
            content = client.get(f"/api/{stage}/documents/1/heads/{layer}/{head}").content
            largest = np.frombuffer(content[: 4 * n], dtype="<f4")[:, None]
            levels = np.frombuffer(content[4 * n :], dtype=np.uint8).reshape(n, n)
            np.testing.assert_allclose(levels / 255 * largest, expected, atol=0.5 / 255 + 1e-6)


def test_thumbnails_are_one_small_map_a_head_each_up_to_full_brightness(client):
    size = client.get("/api/teacher/run").json()["thumbnailSize"]
    content = client.get("/api/teacher/documents/0/thumbnails").content
    maps = np.frombuffer(content, dtype=np.uint8).reshape(8, size * size)
    assert maps.max(axis=1).tolist() == [255] * 8


def test_matches_in_bits_are_the_predicates_pairs(client, explorer):
    text = "same_sentence and not cls"
    content = client.get("/api/teacher/documents/2/matches", params={"predicate": text}).content
    n = len(explorer.exhibit.store[2].token_ids)
    found = np.unpackbits(np.frombuffer(content, dtype=np.uint8))[: n * n].reshape(n, n)
    assert (found == parse(text).mask(explorer.exhibit.tokens(2)).numpy()).all()


def test_relevance_of_everything_is_one_and_its_residual_nothing(client):
    everything = "same_sentence or not same_sentence"
    found = client.get(
        "/api/teacher/documents/0/relevance", params={"predicate": everything}
    ).json()
    np.testing.assert_allclose(found["relevance"], np.ones((2, 4)), atol=1e-5)
    assert found["uniform"] == 1.0


def test_heads_of_a_student_lie_wholly_inside_their_patterns(make_explorer):
    client = TestClient(create_app([make_explorer("student")]), base_url="http://127.0.0.1")
    names = {"matching_token": "same_token", "intra_sentence": "same_sentence"}
    plan = client.get("/api/student/run").json()["plan"]
    for pattern, predicate in names.items():
        response = client.post("/api/student/relevance", json={"predicates": [predicate]})
        job = wait(client, response, "student")
        found = job["result"][predicate]
        for layer, row in enumerate(plan):
            for head, carried in enumerate(row):
                if carried == pattern:
                    assert found["relevance"][layer][head] == pytest.approx(1.0, abs=1e-4)
    assert found["n_documents"] == 4


def test_measured_relevance_is_kept_in_the_run_folder(client, make_explorer):
    job = wait(client, client.post("/api/teacher/relevance", json={"predicates": ["previous"]}))
    assert (job["done"], job["total"], job["state"]) == (4, 4, "done")
    again = TestClient(create_app([make_explorer()]), base_url="http://127.0.0.1")
    over = again.post("/api/teacher/predicate", json={"text": "offset(-1)"}).json()["over"]
    assert over == job["result"]["previous"]


def test_everything_measured_is_told_at_once(client):
    job = wait(client, client.post("/api/teacher/relevance", json={"predicates": ["next", "sep"]}))
    assert client.get("/api/teacher/relevance").json() == job["result"]
    assert set(job["result"]) == {"next", "sep"}


def test_syntax_error_says_where(client):
    response = client.post("/api/teacher/predicate", json={"text": "same_token and bananas"})
    assert response.status_code == 422
    assert response.json()["position"] == 15
    assert "bananas" in response.json()["detail"]


def test_masking_a_head_to_everything_changes_nothing_and_pruning_all_does(client):
    everything = {"predicate": "same_sentence or not same_sentence", "change": "mask"}
    body = {"changes": [{"layer": 0, "head": 1, **everything}]}
    job = wait(client, client.post("/api/teacher/what-if", json=body))
    assert job["state"] == "done", job
    result = job["result"]
    assert result["n"] == 2
    assert result["loss"]["difference"] == pytest.approx(0, abs=1e-5)
    heads = [{"layer": layer, "head": h, "change": "prune"} for layer in (0, 1) for h in range(4)]
    job = wait(client, client.post("/api/teacher/what-if", json={"changes": heads}))
    loss = job["result"]["loss"]
    assert abs(loss["difference"]) > 1e-4
    assert loss["after"] - loss["before"] == pytest.approx(loss["difference"])
    assert loss["low"] <= loss["difference"] <= loss["high"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layer": 2, "head": 0, "change": "prune"}, "expected a head of 2 layers x 4 heads"),
        ({"layer": 0, "head": 0, "change": "mask"}, "expected a predicate for mask and fix"),
        ({"layer": 0, "head": 0, "change": "melt"}, "Input should be"),
        ({"layer": 0, "head": 0, "change": "fix", "predicate": "same"}, "expected a predicate"),
    ],
)
def test_impossible_change_is_refused_at_once(client, change, words):
    response = client.post("/api/teacher/what-if", json={"changes": [change]})
    assert response.status_code == 422
    assert words in response.json()["detail"]


def test_decision_goes_to_the_file_with_its_evidence_and_the_documents_looked_at(
    client, run_copy, make_explorer
):
    client.get("/api/teacher/documents/3")
    body = {"layer": 1, "head": 2, "predicate": "same_token", "verdict": "accepted", "note": "ä"}
    assert client.post("/api/teacher/board", json=body).status_code == 422  # not measured yet
    found = wait(client, client.post("/api/teacher/relevance", json={"predicates": ["same_token"]}))
    assert client.post("/api/teacher/board", json=body).status_code == 200
    table = json.loads((run_copy / "decisions.json").read_text(encoding="utf-8"))
    assert table["documents"]["numbers"] == [3]
    (decision,) = table["decisions"]
    assert (decision["layer"], decision["head"]) == (1, 2)
    assert (decision["pattern"], decision["verdict"]) == ("matching_token", "accepted")
    assert (decision["note"], decision["by"]) == ("ä", "Ada")
    measured = found["result"]["same_token"]
    evidence = decision["evidence"]
    assert evidence["relevance"] == pytest.approx(measured["relevance"][1][2], abs=1e-5)
    assert evidence["lift"] == pytest.approx(evidence["relevance"] / measured["uniform"], rel=1e-4)
    assert evidence["n_documents"] == measured["n_documents"]
    assert make_explorer().describe_board()["decisions"][0]["note"] == "ä"
    residual = client.get("/api/teacher/documents/0/residual").json()
    assert 0 < residual["relevance"][1][2] <= 1
    place = {name: body[name] for name in ("layer", "head", "predicate")}
    assert client.request("DELETE", "/api/teacher/board", json=place).json()["decisions"] == []
    assert client.get("/api/teacher/documents/0/residual").json() is None


def test_cancelled_job_ends_without_a_result(explorer):
    def work(job):
        for n in job.track(range(1_000_000), 1_000_000):
            if n == 3:
                job.cancel()

    job = explorer.jobs.start("long", work)
    explorer.jobs.close()
    assert (job.state, job.result, job.n_done) == ("cancelled", None, 4)


def test_model_is_never_read_while_a_what_if_changes_it(client, explorer):
    exhibit = explorer.exhibit
    is_locked = []
    exhibit.model.register_forward_hook(lambda *_: is_locked.append(exhibit.lock.locked()))
    client.get("/api/teacher/documents/3/thumbnails")
    wait(client, client.post("/api/teacher/relevance", json={"predicates": ["self"]}))
    prune = {"changes": [{"layer": 0, "head": 0, "change": "prune"}]}
    wait(client, client.post("/api/teacher/what-if", json=prune))
    assert is_locked == [True] * (1 + 4 + 2)


def test_unknown_document_head_and_job_are_told(client):
    assert "from 0 to 3, got 4" in client.get("/api/teacher/documents/4").json()["detail"]
    assert "2 layers x 4 heads" in client.get("/api/teacher/documents/0/heads/0/4").json()["detail"]
    assert client.get("/api/teacher/jobs/99").status_code == 404


def test_other_sites_and_other_names_are_refused(client):
    body = {"text": "cls"}
    own = {"Origin": "http://127.0.0.1"}
    assert client.post("/api/teacher/predicate", json=body, headers=own).status_code == 200
    other = {"Origin": "http://evil.example"}
    assert client.post("/api/teacher/predicate", json=body, headers=other).status_code == 403
    assert client.get("/api/teacher/run", headers={"Host": "evil.example"}).status_code == 400


def test_page_and_all_that_it_loads_are_there(client):
    page = client.get("/")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    known = client.get("/", headers={"If-None-Match": page.headers["ETag"]})
    assert known.status_code == 304
    assert client.get("/web/lit.css").status_code == 200
    assert client.get("/web/absent.js").status_code == 404
