"""What becomes a bundle, and what is for comparisons only."""

import pytest

from export.export_run import export_run
from service.errors import CheckpointError, ExportError
from tests.tiny_model import tiny_model
from training.fit.checkpoint import save_model
from training.model.config import PalConfig
from training.model.controls import Control
from training.run import Run


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"control": Control.RANDOM}, "got one with the control random"),
        ({"pal": PalConfig(16)}, "without Projected Attention Layers"),
    ],
)
def test_model_that_explanations_do_not_tell_of_becomes_no_bundle(tmp_path, changes, message):
    run = Run(tmp_path / "run")
    save_model(tiny_model(**changes), run.student.model_path)
    run.student.write_result({"rouge1": 40.0})
    run.recipe_path.write_text('name = "x"\n[data]\nmax_tokens = 64\nmax_sentence_tokens = 32\n')
    with pytest.raises(ExportError, match=message):
        export_run(run.path, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_variant_that_is_not_there_is_named_beside_those_that_are(tmp_path):
    run = Run(tmp_path / "run")
    other = Run(run.path / "ablations" / "mine" / "free" / "seed-1")
    other.student.path.mkdir(parents=True)
    other.student.write_result({"rouge1": 40.0})
    with pytest.raises(CheckpointError, match=r"got 'fre'; there are: mine/free/seed-1$"):
        export_run(run.path, variant="fre")
