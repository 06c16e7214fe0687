"""The whole way on generated articles: prepare, teacher, distill, export, serve, summarize.

One stage a fixture; each takes up the run folder where the one before left it.
"""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner
from safetensors import safe_open
from starlette.testclient import TestClient

from export.cli import export
from export.export_run import export_run
from export.verify import Limits
from service.api.app import create_app
from service.api.settings import Settings
from service.cli import PatsumGroup, summarize
from service.inference.engine import Engine
from tests.tiny_articles import tiny_articles, write_tiny_articles
from tests.tiny_encoder import write_tiny_encoder
from training.cli import distill, evaluate, prepare, teacher
from training.data.examples import ExampleStore
from training.fit.checkpoint import load_model, save_model
from training.model.patterns import Pattern

ROOT = Path(__file__).parents[1]
RECIPE = """
name = "tiny"
plan_reason = "one of each, to see the whole way"

[data]
max_train = 40
max_validation = 8
max_tokens = 96
max_sentence_tokens = 32

[teacher]
encoder = "nobody/tiny-encoder"
document_layers = 1
document_width = 32
document_positions = 8

[teacher.fit]
documents = 96
batch_tokens = 400
encoder_rate = 1e-3
scorer_rate = 1e-3
validate_every = 32

[student]
layers = [0, 1]
plan = [
    ["matching_token", "intra_sentence", "previous_token", "next_token"],
    ["matching_token", "intra_sentence", "intra_sentence", "free"],
]
teacher_documents = 24

[student.fit]
documents = 48
batch_tokens = 400
encoder_rate = 1e-3
scorer_rate = 1e-3
teacher_weight = 1.0
validate_every = 24
"""
PLAN = tuple(
    tuple(None if name == "free" else Pattern(name) for name in row)
    for row in (
        ("matching_token", "intra_sentence", "previous_token", "next_token"),
        ("matching_token", "intra_sentence", "intra_sentence", "free"),
    )
)

# The command in a process that is killed, by a signal that nothing can catch, right after its fit
# has written the first state to resume from.
KILLED_TEACHER = """
import os, signal
from training.cli import teacher
from training.fit import loop

write_state = loop.write_state


def write_state_and_die(state, path):
    write_state(state, path)
    os.kill(os.getpid(), signal.SIGKILL)


loop.write_state = write_state_and_die
teacher()
"""

COMMANDS = PatsumGroup(
    "patsum",
    commands={c.name: c for c in (prepare, teacher, distill, export, summarize, evaluate)},
)


class Workshop:
    """A folder with what a person has before the first command, and the options to name it."""

    def __init__(self, folder):
        self.folder = folder
        self.recipe = folder / "tiny.toml"
        self.recipe.write_text(RECIPE, encoding="utf-8")
        self.encoder = folder / "encoder"
        write_tiny_encoder(self.encoder)
        for name, n, seed in (("train", 50, 1), ("validation", 20, 2)):
            write_tiny_articles(folder / f"{name}.jsonl", n, seed)

    def stage(self, run, *more):
        """Arguments that every stage takes."""
        return [self.recipe, "--run", run, "--encoder", self.encoder, *more]

    def sources(self):
        """Options that name the articles."""
        return [
            *("--train", self.folder / "train.jsonl"),
            *("--validation", self.folder / "validation.jsonl"),
        ]


def patsum(*arguments):
    """Run a command in this process."""
    return CliRunner().invoke(COMMANDS, [*map(str, arguments)], catch_exceptions=False)


def patsum_ok(*arguments):
    result = patsum(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refusal(*arguments):
    """What a command that must refuse says; one line."""
    result = patsum(*arguments)
    assert result.exit_code == 2, result.output
    return result.stderr.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    return Workshop(tmp_path_factory.mktemp("workshop"))


# prepare


@pytest.fixture(scope="module")
def prepared(workshop):
    """A run with prepared examples; what the command said."""
    run = workshop.folder / "run"
    said = patsum_ok("prepare", *workshop.stage(run, *workshop.sources()))
    return run, said


@pytest.fixture
def prepared_copy(prepared, tmp_path):
    return shutil.copytree(prepared[0], tmp_path / "run", ignore=keep_only_examples)


def keep_only_examples(folder, names):
    return {name for name in names if name in {"teacher", "student", "export", "bundle"}}


def test_prepare_reads_what_the_recipe_says(prepared):
    run, said = prepared
    train, validation = ExampleStore(run / "data/train"), ExampleStore(run / "data/validation")
    assert (len(train), len(validation)) == (40, 8)
    assert train.article(3)["summary"] == list(tiny_articles(50, seed=1))[3]["summary"]
    assert train.n_tokens().max() <= 96
    assert (run / "recipe.toml").read_text(encoding="utf-8") == RECIPE
    assert "40 documents (train.jsonl (" in said


def test_validation_articles_are_drawn_from_the_whole_file(prepared):
    store = ExampleStore(prepared[0] / "data/validation")
    places = [int(store.article(n)["id"].rpartition("-")[2]) for n in range(len(store))]
    assert places == sorted(places)
    assert places != list(range(8))


def test_prepare_keeps_what_was_prepared_with_the_same_settings(workshop, prepared_copy):
    paths = [prepared_copy / "data" / name for name in ("train", "validation")]
    before = [path.stat().st_ino for path in paths]
    said = patsum_ok("prepare", *workshop.stage(prepared_copy, *workshop.sources()))
    assert said.count("already prepared") == 2
    assert [path.stat().st_ino for path in paths] == before


def test_prepare_replaces_only_what_was_prepared_with_other_settings(
    workshop, prepared_copy, tmp_path
):
    recipe = tmp_path / "other.toml"
    recipe.write_text(RECIPE.replace("max_train = 40", "max_train = 7"), encoding="utf-8")
    _, *others = workshop.stage(prepared_copy, *workshop.sources())
    said = patsum_ok("prepare", recipe, *others)
    assert said.count("already prepared") == 1
    assert len(ExampleStore(prepared_copy / "data/train")) == 7


def test_teacher_without_examples_says_what_to_run(workshop, tmp_path):
    assert "run `patsum prepare" in refusal("teacher", *workshop.stage(tmp_path / "run"))


def test_student_without_teacher_says_what_to_run(workshop, prepared_copy):
    assert "run `patsum teacher" in refusal("distill", *workshop.stage(prepared_copy))


def test_export_without_student_says_what_to_run(prepared_copy):
    assert "run `patsum distill" in refusal("export", "--run", prepared_copy)


def test_missing_recipe_is_one_line(workshop, tmp_path):
    said = refusal("teacher", tmp_path / "gone.toml", "--run", tmp_path)
    assert said.startswith("patsum: error: expected a recipe at")


# teacher


@pytest.fixture(scope="module")
def taught(workshop, prepared):
    """The same run with a fitted teacher, which was killed once; what the command said."""
    run, _ = prepared
    arguments = workshop.stage(run, "--threads", 1)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_TEACHER, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (run / "teacher/state.pt").exists()
    assert not (run / "teacher/result.json").exists()
    return run, patsum_ok("teacher", *arguments)


def test_killed_teacher_ends_as_an_undisturbed_one(workshop, taught, prepared_copy):
    patsum_ok("teacher", *workshop.stage(prepared_copy, "--threads", 1))
    resumed, undisturbed = (
        read_tensors(run / "teacher/model.safetensors") for run in (taught[0], prepared_copy)
    )
    assert resumed == undisturbed


def read_tensors(path):
    """Metadata and weights of a model file; their order in the file is not fixed."""
    with safe_open(path, framework="np") as file:
        weights = {name: file.get_tensor(name).tobytes() for name in sorted(file.keys())}
        return file.metadata(), weights


def test_teacher_names_the_public_encoder_and_no_folder(workshop, taught):
    path = taught[0] / "teacher/model.safetensors"
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["base"] == "nobody/tiny-encoder"
    for name in ("model.safetensors", "result.json"):
        assert str(workshop.folder).encode() not in (taught[0] / "teacher" / name).read_bytes()


def test_teacher_tells_its_figures_beside_lead_3(taught):
    run, said = taught
    result = json.loads((run / "teacher/result.json").read_text(encoding="utf-8"))
    assert f"R-1 {result['rouge1']:.2f}" in said
    assert f"(Lead-3: R-1 {result['lead3']['rouge1']:.2f}" in said
    assert result["validation"]["n"] == 8
    assert result["documents"] >= 96


def test_fitted_teacher_is_not_fitted_again(workshop, taught):
    run, said = taught
    before = (run / "teacher/model.safetensors").stat().st_mtime_ns
    note, *rest = patsum_ok("teacher", *workshop.stage(run)).splitlines(keepends=True)
    assert "already fitted, by recipe" in note
    assert "".join(rest) == said
    assert (run / "teacher/model.safetensors").stat().st_mtime_ns == before


def test_recipe_that_differs_from_a_begun_stage_is_refused(workshop, taught, tmp_path):
    recipe = tmp_path / "other.toml"
    recipe.write_text(RECIPE.replace("document_layers = 1", "document_layers = 2"))
    _, *others = workshop.stage(taught[0])
    said = refusal("distill", recipe, *others)
    assert "[teacher] differs" in said
    assert "in document_layers;" in said
    assert (taught[0] / "recipe.toml").read_text(encoding="utf-8") == RECIPE


def test_examples_under_a_fitted_teacher_are_not_replaced(workshop, taught):
    swapped = ["--train", workshop.folder / "validation.jsonl"]
    said = refusal("prepare", *workshop.stage(taught[0], *workshop.sources(), *swapped))
    assert "would differ in source" in said
    assert len(ExampleStore(taught[0] / "data/train")) == 40


# distill


@pytest.fixture(scope="module")
def distilled(workshop, taught):
    """The same run with a distilled student."""
    run, _ = taught
    patsum_ok("distill", *workshop.stage(run, "--threads", 1))
    return run


def test_examples_under_a_begun_student_are_not_replaced(workshop, distilled, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(distilled, run, ignore=lambda folder, names: {"teacher"} & set(names))
    swapped = ["--train", workshop.folder / "validation.jsonl"]
    said = refusal("prepare", *workshop.stage(run, *workshop.sources(), *swapped))
    assert "student was begun with the examples in" in said


def test_student_of_another_teacher_is_refused(workshop, distilled, tmp_path):
    run = shutil.copytree(distilled, tmp_path / "run")
    (run / "student/result.json").unlink()
    path = run / "teacher/model.safetensors"
    model = load_model(path, base=str(workshop.encoder))
    model.scorer.score.bias.data += 1.0
    save_model(model, path)
    said = refusal("distill", *workshop.stage(run, "--threads", 1))
    assert "was begun with another teacher; " in said


def test_student_carries_the_plan_of_the_recipe(distilled):
    assert load_model(distilled / "student/model.safetensors").config.plan == PLAN


def test_student_followed_the_teacher_on_the_documents_that_it_was_shown(distilled):
    result = json.loads((distilled / "student/result.json").read_text(encoding="utf-8"))
    assert result["teacher_documents"] == 24
    assert (distilled / "student/teacher_scores.npz").exists()


# export, evaluate, serve, summarize


# One so small may lose rank agreement to rounding.
LIMITS = Limits(min_kendall_tau=-1.0, max_rouge1_loss=100.0)


@pytest.fixture(scope="module")
def bundle(distilled):
    """The bundle of the student."""
    return export_run(
        distilled,
        distilled / "bundle",
        max_tokens=900,
        max_sentences=45,
        n_documents=4,
        limits=LIMITS,
    ).path


@pytest.fixture(scope="module")
def text():
    return next(tiny_articles(1, seed=3))["article"]


def test_float32_bundle_scores_as_the_float_graph(distilled, text, tmp_path):
    packed = export_run(
        distilled, tmp_path / "exact", weights="float32", n_documents=5, limits=LIMITS
    )
    assert packed.manifest.model.weights == "float32"
    verified = json.loads((distilled / "export/verification.json").read_text(encoding="utf-8"))
    assert verified["documents"] == 5  # of 8, which no step divides
    encoded = packed.encoder.encode(text)
    session = onnxruntime.InferenceSession(str(distilled / "export/float.onnx"))
    inputs = {"token_ids": encoded.token_ids, "sentence_ids": encoded.sentence_ids}
    (expected,) = session.run(["scores"], inputs)
    np.testing.assert_allclose(Engine(packed).score(encoded), expected, atol=1e-6)


def test_bundle_is_evaluated_on_articles_that_it_has_not_seen(workshop, bundle):
    data = workshop.folder / "validation.jsonl"
    said = patsum_ok("evaluate", "--data", data, "--bundle", bundle, "--resamples", 100)
    assert "documents  20," in said
    assert "Lead-3" in said


def test_bundle_says_why_its_heads_carry_their_patterns(bundle):
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["model"]["plan_reason"] == "one of each, to see the whole way"


def test_bundle_reads_as_much_of_a_document_as_was_asked_for(bundle):
    encoder = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))["encoder"]
    assert (encoder["max_tokens"], encoder["max_sentences"]) == (900, 45)


def test_service_answers_with_sentences_of_the_text(bundle, text):
    settings = Settings(bundle=bundle, metrics_port=0)
    with TestClient(create_app(settings)) as client:
        # Each question lets the start go on.
        assert 200 in (client.get("/readyz").status_code for _ in range(10_000))
        answer = client.post("/v1/summarize", json={"text": text, "sentenceCount": 2})
    assert answer.status_code == 200, answer.text
    (document,) = answer.json()["documents"]
    assert len(document["sentences"]) == 2
    for sentence in document["sentences"]:
        end = sentence["offset"] + sentence["length"]
        assert text[sentence["offset"] : end] == sentence["text"]


def test_command_line_summarizes_with_the_bundle(bundle, text, tmp_path):
    path = tmp_path / "article.txt"
    path.write_text(text, encoding="utf-8")
    chosen = patsum_ok("summarize", path, "--bundle", bundle, "--sentences", 2).strip().splitlines()
    assert len(chosen) == 2
    assert all(sentence in text for sentence in chosen)
