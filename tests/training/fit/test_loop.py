"""The loop: it learns, and a fit that was killed ends where an undisturbed one does."""

import json
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from service.errors import CheckpointError, TrainingError
from tests.tiny_model import tiny_model
from training.data.examples import ExampleStore
from training.fit.batches import make_batch
from training.fit.checkpoint import read_state, write_state
from training.fit.loop import Fit
from training.fit.losses import label_loss
from training.recipe import FitRecipe

RECIPE = FitRecipe(
    documents=48,
    batch_tokens=300,
    encoder_rate=1e-3,
    scorer_rate=1e-3,
    validate_every=12,
    average_decay=0.9,
    seed=4,
)


class Stop(BaseException):
    """Stands for a kill: nothing of ours catches it."""


class StoppingStore(ExampleStore):
    """A store that ends the fit when it has been read so many times."""

    def __init__(self, path, n_reads):
        super().__init__(path)
        self._n_left = n_reads

    def __getitem__(self, number):
        self._n_left -= 1
        if self._n_left < 0:
            raise Stop
        return super().__getitem__(number)


class InterruptedStore(ExampleStore):
    """A store whose reader gets Ctrl-C, once or several times, when it has read so often."""

    def __init__(self, path, n_reads, n_times=1):
        super().__init__(path)
        self._n_left = n_reads
        self._n_times = n_times

    def __getitem__(self, number):
        self._n_left -= 1
        if self._n_left == 0:
            for _ in range(self._n_times):
                signal.raise_signal(signal.SIGINT)
        return super().__getitem__(number)


@pytest.fixture(autouse=True)
def listening():
    """Ctrl-C interrupts, which a shell's background jobs, the tests maybe among them, ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def undisturbed(tiny_examples, tmp_path_factory):
    """Folder, result and last weights of a fit that nothing stopped."""
    folder = tmp_path_factory.mktemp("undisturbed")
    fit, model = start_fit(folder, *tiny_examples)
    return folder, fit.run(), model.state_dict()


def start_fit(folder, train, validation, *, recipe=RECIPE, model_seed=0, **options):
    model = tiny_model(model_seed)
    return Fit(model, recipe, train, validation, folder, **options), model


@pytest.mark.parametrize("n_reads", [30, 37, 45])
def test_killed_and_resumed_fit_ends_with_the_same_weights(
    undisturbed, tiny_examples, tmp_path, n_reads
):
    folder, expected, weights = undisturbed
    train, validation = tiny_examples
    fit, _ = start_fit(tmp_path, StoppingStore(train.path, n_reads), validation)
    with pytest.raises(Stop):
        fit.run()
    assert (tmp_path / "state.pt").exists()
    # Another seed: not one weight of the fresh model may survive the resumption.
    resumed, model = start_fit(tmp_path, train, validation, model_seed=9)
    result = resumed.run()
    assert replace(result, seconds=0.0) == replace(expected, seconds=0.0)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, weights[name]), name
    assert (tmp_path / "log.jsonl").read_text() == (folder / "log.jsonl").read_text()


def test_ctrl_c_saves_and_says_how_to_go_on(undisturbed, tiny_examples, tmp_path, capfd):
    _, expected, weights = undisturbed
    train, validation = tiny_examples
    before = signal.getsignal(signal.SIGINT)
    fit, _ = start_fit(tmp_path, InterruptedStore(train.path, 20), validation)
    with pytest.raises(KeyboardInterrupt):
        fit.run()
    assert signal.getsignal(signal.SIGINT) is before
    stopped = read_state(tmp_path / "state.pt")["progress"]["documents"]
    assert 20 <= stopped < 30  # the step was taken to its end
    said = capfd.readouterr().err
    assert f"stopped after {stopped} of 48 documents, all saved; the same command goes on" in said
    resumed, model = start_fit(tmp_path, train, validation, model_seed=9)
    assert replace(resumed.run(), seconds=0.0) == replace(expected, seconds=0.0)
    assert all(torch.equal(w, weights[name]) for name, w in model.state_dict().items())


def test_ctrl_c_inside_the_last_validation_stops_after_it(undisturbed, tiny_examples, tmp_path):
    _, expected, _ = undisturbed
    train, validation = tiny_examples
    n_reads = 4 * len(validation) + 3  # Lead-3 and three validations, and the fourth is amid
    fit, _ = start_fit(tmp_path, train, InterruptedStore(validation.path, n_reads))
    with pytest.raises(KeyboardInterrupt):
        fit.run()
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 4
    again = start_fit(tmp_path, train, validation)[0].run()
    assert replace(again, seconds=0.0) == replace(expected, seconds=0.0)


def test_ctrl_c_before_a_validation_does_not_wait_for_it(tiny_examples, tmp_path):
    train, validation = tiny_examples
    recipe = replace(RECIPE, validate_every=6)
    fit, _ = start_fit(tmp_path, InterruptedStore(train.path, 2), validation, recipe=recipe)
    with pytest.raises(KeyboardInterrupt):
        fit.run()
    assert not (tmp_path / "log.jsonl").exists()


def test_fit_in_another_thread_leaves_ctrl_c_alone(undisturbed, tiny_examples, tmp_path):
    _, expected, _ = undisturbed
    before = signal.getsignal(signal.SIGINT)
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(start_fit(tmp_path, *tiny_examples)[0].run).result()
    assert signal.getsignal(signal.SIGINT) is before
    assert replace(result, seconds=0.0) == replace(expected, seconds=0.0)


def test_ignored_ctrl_c_stays_ignored(tiny_examples, tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        fit, _ = start_fit(tmp_path, InterruptedStore(tiny_examples[0].path, 2), tiny_examples[1])
        assert fit.run().documents >= RECIPE.documents
    finally:
        signal.signal(signal.SIGINT, before)


def test_second_ctrl_c_stops_at_once(tiny_examples, tmp_path):
    train, validation = tiny_examples
    fit, _ = start_fit(tmp_path, InterruptedStore(train.path, 2, n_times=2), validation)
    with pytest.raises(KeyboardInterrupt):
        fit.run()
    assert not (tmp_path / "state.pt").exists()


def test_fit_killed_inside_its_validation_is_resumed_there(undisturbed, tiny_examples, tmp_path):
    folder, expected, weights = undisturbed
    train, validation = tiny_examples
    # Lead-3 reads the validation documents once; a few reads on, the first validation is amid.
    n_reads = len(validation) + 3
    fit, _ = start_fit(tmp_path, train, StoppingStore(validation.path, n_reads))
    with pytest.raises(Stop):
        fit.run()
    assert (tmp_path / "state.pt").exists()
    assert not (tmp_path / "log.jsonl").exists()
    resumed, model = start_fit(tmp_path, train, validation, model_seed=9)
    assert replace(resumed.run(), seconds=0.0) == replace(expected, seconds=0.0)
    assert all(torch.equal(w, weights[name]) for name, w in model.state_dict().items())
    assert (tmp_path / "log.jsonl").read_text() == (folder / "log.jsonl").read_text()


def test_log_row_that_the_state_has_not_is_not_repeated(undisturbed, tiny_examples, tmp_path):
    train, validation = tiny_examples
    fit, _ = start_fit(tmp_path, StoppingStore(train.path, 30), validation)
    with pytest.raises(Stop):
        fit.run()
    expected = (undisturbed[0] / "log.jsonl").read_text()
    # A kill between log and state leaves the log one row ahead.
    n_rows = len((tmp_path / "log.jsonl").read_text().splitlines())
    ahead = "".join(expected.splitlines(keepends=True)[: n_rows + 1])
    (tmp_path / "log.jsonl").write_text(ahead)
    start_fit(tmp_path, train, validation)[0].run()
    assert (tmp_path / "log.jsonl").read_text() == expected


def test_fit_that_diverges_stops_and_says_where(tiny_examples, tmp_path):
    # A finite weight this large makes the next loss NaN.
    recipe = replace(RECIPE, encoder_rate=1e36, scorer_rate=1e36, validate_every=48)
    fit, _ = start_fit(tmp_path, *tiny_examples, recipe=recipe)
    message = r"expected a finite .*, got nan after \d+ documents, at encoder_rate \S+ and .*lower"
    with pytest.raises(TrainingError, match=message):
        fit.run()
    assert list(tmp_path.iterdir()) == []


def test_diverged_fit_leaves_the_state_of_before(tiny_examples, tmp_path):
    train, validation = tiny_examples
    fit, _ = start_fit(tmp_path, StoppingStore(train.path, 30), validation)
    with pytest.raises(Stop):
        fit.run()
    before = (tmp_path / "state.pt").read_bytes()
    resumed, model = start_fit(tmp_path, train, validation)
    model.scorer.score.bias.data.fill_(float("nan"))
    with pytest.raises(TrainingError):
        resumed.run()
    assert (tmp_path / "state.pt").read_bytes() == before


def test_scores_that_are_not_finite_are_not_measured_as_lead_3(tiny_examples, tmp_path):
    # One step, then the validation: it is the first to see what the step has done.
    recipe = replace(RECIPE, documents=1, scorer_rate=1e37, average_decay=0.0)
    fit, _ = start_fit(tmp_path, *tiny_examples, recipe=recipe)
    with pytest.raises(TrainingError, match="expected a finite validation score"):
        fit.run()
    assert not (tmp_path / "best.safetensors").exists()
    assert not (tmp_path / "log.jsonl").exists()


@pytest.mark.parametrize("name", ["train", "validation", "teacher"])
def test_state_of_other_examples_or_another_teacher_is_refused(
    undisturbed, tiny_examples, tmp_path, name
):
    train, validation = tiny_examples
    options = {"teacher_sha256": "another"} if name == "teacher" else {}
    stores = {"train": train, "validation": validation}
    if name in stores:
        store = ExampleStore(stores[name].path)
        store.description = {**store.description, "source": "elsewhere"}
        stores[name] = store
    message = r"begun with another (training examples|validation examples|teacher); .*delete"
    with pytest.raises(CheckpointError, match=message):
        start_fit(undisturbed[0], *stores.values(), **options)


def test_finished_fit_is_not_fitted_again(undisturbed, tiny_examples, tmp_path):
    folder, expected, weights = undisturbed
    log = (folder / "log.jsonl").read_text()
    fit, model = start_fit(folder, StoppingStore(tiny_examples[0].path, 0), tiny_examples[1])
    assert fit.run() == expected
    assert all(torch.equal(w, weights[name]) for name, w in model.state_dict().items())
    assert (folder / "log.jsonl").read_text() == log


def test_result_tells_of_the_best_validation_and_of_lead_3(undisturbed):
    folder, result, _ = undisturbed
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert result.rouge == tuple(max((row["rouge"] for row in rows), key=lambda r: r[0]))
    assert all(tuple(row["lead"]) == result.lead for row in rows)
    assert result.to_json()["lead3"]["rouge1"] == result.lead[0]
    assert RECIPE.documents <= result.documents < RECIPE.documents + 10
    assert rows[-1]["documents"] == result.documents


def test_fitted_model_follows_the_labels_more_closely(tiny_examples, tmp_path):
    train, validation = tiny_examples
    recipe = replace(RECIPE, documents=180, batch_tokens=150, validate_every=180, scorer_rate=4e-3)
    fit, model = start_fit(tmp_path, train, validation, recipe=recipe)
    batch = make_batch(train, np.arange(len(train)))
    losses = []
    for step in (lambda: None, fit.run):
        step()
        with torch.no_grad():
            logits = model.eval()(batch.token_ids, batch.sentence_ids)
        losses.append(label_loss(logits, batch, soft_weight=0.0))
    assert losses[1] < 0.9 * losses[0]


def test_frozen_weights_stay(tiny_examples, tmp_path):
    fit, model = start_fit(tmp_path, *tiny_examples, recipe=replace(RECIPE, documents=6))
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    fit.run()
    changed = {name for name, w in model.state_dict().items() if not torch.equal(w, before[name])}
    assert not any(name.startswith("encoder.embeddings.") for name in changed)
    assert any(name.startswith("encoder.layers.0.") for name in changed)
    assert any(name.startswith("scorer.") for name in changed)


def test_teacher_scores_change_the_fit(undisturbed, tiny_examples, tmp_path):
    train, validation = tiny_examples
    logits = {n: -train[n].soft_labels for n in range(len(train))}
    recipe = replace(RECIPE, teacher_weight=1.0)
    fit, model = start_fit(tmp_path, train, validation, recipe=recipe, teacher_logits=logits)
    fit.run()
    assert not torch.equal(
        model.state_dict()["scorer.score.weight"], undisturbed[2]["scorer.score.weight"]
    )


class HalfLabelledStore(ExampleStore):
    """A store in which every second document has no summary."""

    def is_labelled(self):
        return np.arange(len(self)) % 2 == 0

    def __getitem__(self, number):
        self.shown.add(number)
        return super().__getitem__(number)


@pytest.mark.parametrize("scored", [(), (1, 3)])
def test_documents_with_neither_labels_nor_teacher_scores_are_not_shown(
    tiny_examples, tmp_path, scored
):
    train = HalfLabelledStore(tiny_examples[0].path)
    train.shown = set()
    logits = {n: -tiny_examples[0][n].soft_labels for n in scored}
    recipe = replace(RECIPE, teacher_weight=1.0)
    fit, _ = start_fit(tmp_path, train, tiny_examples[1], recipe=recipe, teacher_logits=logits)
    fit.run()
    assert train.shown == {*range(0, len(train), 2), *scored}


def test_state_of_another_recipe_is_refused(undisturbed, tiny_examples):
    recipe = replace(RECIPE, encoder_rate=2e-3, seed=5)
    with pytest.raises(CheckpointError, match=r"differs in encoder_rate, seed\)"):
        start_fit(undisturbed[0], *tiny_examples, recipe=recipe)


@pytest.mark.parametrize(
    "changes", [{"document_width": 8}, {"plan": ((None,) * 4,) * 2}], ids=["width", "plan"]
)
def test_state_of_another_model_is_refused(undisturbed, tiny_examples, changes):
    with pytest.raises(CheckpointError, match="belongs to another model"):
        Fit(tiny_model(**changes), RECIPE, *tiny_examples, undisturbed[0])


@pytest.mark.parametrize("forget", ["shape", "control"])
def test_state_of_an_earlier_version_is_resumed(undisturbed, tiny_examples, tmp_path, forget):
    state = read_state(undisturbed[0] / "state.pt")
    shape = json.loads(state.pop("shape"))
    if forget != "shape":
        del shape[forget]
        state["shape"] = json.dumps(shape)
    write_state(state, tmp_path / "state.pt")
    _, model = start_fit(tmp_path, *tiny_examples, model_seed=9)
    assert all(torch.equal(w, state["model"][name]) for name, w in model.state_dict().items())


@pytest.mark.parametrize("write", [lambda path: path.write_bytes(b"torn"), None])
def test_damaged_or_foreign_state_is_refused(tiny_examples, tmp_path, write):
    path = tmp_path / "state.pt"
    (write or (lambda path: write_state({"step": 1}, path)))(path)
    with pytest.raises(CheckpointError, match=r"state\.pt"):
        start_fit(tmp_path, *tiny_examples)
