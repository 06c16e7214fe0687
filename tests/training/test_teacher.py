"""The teacher that a recipe asks for."""

from training.recipe import TeacherRecipe
from training.teacher import make_teacher


def test_embeddings_and_lowest_layers_are_frozen(tiny_encoder):
    teacher = make_teacher(TeacherRecipe(frozen_layers=1), str(tiny_encoder))
    learning = {name for name, p in teacher.named_parameters() if p.requires_grad}
    assert {name.split(".")[2] for name in learning if name.startswith("encoder.")} == {"1"}
    assert {name for name, _ in teacher.named_parameters() if name.startswith("scorer.")} < learning


def test_teacher_has_the_encoders_heads_all_free_and_the_recipes_scorer(tiny_encoder):
    recipe = TeacherRecipe(document_layers=3, document_width=16, document_heads=2, dropout=0.3)
    config = make_teacher(recipe, str(tiny_encoder)).config
    assert config.plan == ((None,) * 4,) * 2
    assert (config.document_layers, config.document_width) == (3, 16)
    assert (config.document_heads, config.dropout) == (2, 0.3)
