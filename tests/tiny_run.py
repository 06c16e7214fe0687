"""A run folder with prepared examples and a fitted teacher, in a moment."""

import shutil

from training.fit.checkpoint import save_model
from training.run import Run

DATA = """
[data]
max_tokens = 96
max_sentence_tokens = 32
"""


def tiny_run(folder, examples, teacher, **saved):
    """Make a run of examples as the fixture `tiny_examples` gives them.

    The teacher counts as fitted; `saved` are options of `save_model`.
    """
    run = Run(folder)
    prepared = examples[0].path.parent
    for source, target in (
        (prepared / "tokenizer.json", run.tokenizer_path),
        (prepared / "punkt.json", run.punkt_path),
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for store, target in zip(examples, (run.train_path, run.validation_path), strict=True):
        shutil.copytree(store.path, target)
    save_model(teacher, run.teacher.model_path, **saved)
    run.teacher.write_result({"rouge1": 40.0, "recipe": "tiny"})
    return run
