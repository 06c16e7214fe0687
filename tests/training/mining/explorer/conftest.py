"""A tiny run with a teacher whose heads are free and a student that carries patterns."""

import shutil

import pytest

RECIPE = """
name = "tiny"
[data]
max_tokens = 96
max_sentence_tokens = 32
[teacher]
encoder = "tiny"
[teacher.fit]
documents = 10
[student]
layers = [0, 1]
heads = [[3, 1, 0, 2]]
[student.fit]
documents = 10
"""
FREE = ((None,) * 4,) * 2


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, tiny_examples):
    """The folder of a finished run; do not write into it."""
    from tests.tiny_model import tiny_model
    from training.fit.checkpoint import save_model
    from training.model.config import Positions
    from training.run import Run

    prepared = tiny_examples[0].path.parent
    folder = tmp_path_factory.mktemp("tiny_run")
    for name in ("tokenizer.json", "punkt.json"):
        shutil.copy(prepared / name, folder / name)
    for name in ("train", "validation"):
        shutil.copytree(prepared / name, folder / "data" / name)
    (folder / "recipe.toml").write_text(RECIPE)
    run = Run(folder)
    teacher = tiny_model(plan=FREE, positions=Positions.DOCUMENT)
    save_model(teacher, run.teacher.model_path)
    run.teacher.write_result({"rouge1": 40.0})
    save_model(tiny_model(seed=1), run.student.model_path)
    run.student.write_result({"rouge1": 39.0})
    return folder


@pytest.fixture
def run_copy(tiny_run, tmp_path):
    """The folder of a run that a test may write into."""
    return shutil.copytree(tiny_run, tmp_path / "run")


@pytest.fixture
def uneven_student(run_copy):
    """Put a student in the run whose first layer has two heads and whose second has four."""
    from tests.tiny_model import UNEVEN, tiny_model
    from training.fit.checkpoint import save_model
    from training.run import Run

    recipe = run_copy / "recipe.toml"
    text = recipe.read_text(encoding="utf-8")
    changed = text.replace("heads = [[3, 1, 0, 2]]", "heads = [[3, 1], [2, 0, 3, 1]]")
    recipe.write_text(changed, encoding="utf-8")
    save_model(tiny_model(seed=1, **UNEVEN), Run(run_copy).student.model_path)


@pytest.fixture
def make_explorer(run_copy):
    """Open the run's explorer, as often as a test likes."""
    from training.mining.explorer.exhibit import open_exhibit
    from training.mining.explorer.explorer import Explorer

    opened = []

    def make(stage="teacher", n_shown=4, n_held=2):
        exhibit = open_exhibit(run_copy, stage, n_shown=n_shown, n_held=n_held)
        path = run_copy / ("decisions.json" if stage == "teacher" else "student-decisions.json")
        opened.append(Explorer(exhibit, path, "Ada", show_progress=False))
        return opened[-1]

    yield make
    for explorer in opened:
        explorer.close()
