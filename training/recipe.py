"""Recipes: one experiment in one TOML file, read into frozen dataclasses, each value checked.

[data]      what the model reads: limits, outlet, how many articles
[teacher]   the encoder, what stays frozen, how it is fitted
[student]   the teacher layers it starts from, the pattern of each head, how it is fitted
[injection] patterns for the teacher, in layers beside its own attention, how it is fitted further
"""

import dataclasses
import math
import tomllib
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.errors import RecipeError


@dataclass(frozen=True)
class DataRecipe:
    """What the models are shown.

    Attributes:
        train: articles to learn from, a path or `hf:NAME:CONFIG:SPLIT`; the command line may
            override it.
        validation: articles to choose by, likewise.
        unlabelled: articles to learn from without their summaries, a path or `hf:` likewise; ""
            for none. They teach a student where the teacher scores them.
        outlet: only training articles whose field `outlet` is this one; "" for all.
        max_train: most training articles, at least 1; those of `unlabelled` do not count.
        max_validation: most validation articles that are scored while fitting, at least 1.
        max_tokens: most tokens of a document, [CLS] and [SEP] included; at least
            max_sentence_tokens.
        max_sentence_tokens: most tokens of a sentence, likewise; at least 3.
    """

    train: str = "hf:cnn_dailymail:3.0.0:train"
    validation: str = "hf:cnn_dailymail:3.0.0:validation"
    unlabelled: str = ""
    outlet: str = ""
    max_train: int = 300_000
    max_validation: int = 300
    max_tokens: int = 512
    max_sentence_tokens: int = 128

    def __post_init__(self) -> None:
        _require_at_least(1, self, "max_train", "max_validation")
        _require_at_least(3, self, "max_sentence_tokens")
        least = self.max_sentence_tokens
        _require(
            f"at least max_sentence_tokens = {least}", lambda n: n >= least, self, "max_tokens"
        )


@dataclass(frozen=True)
class FitRecipe:
    """How one model is fitted.

    Attributes:
        documents: how many training documents are shown in all, at least 1; passes over the data
            follow. The last batch is shown whole, so that it can be some more.
        batch_tokens: most tokens of a batch, padding included; at least 1.
        encoder_rate: peak learning rate of the token encoder, above 0.
        scorer_rate: peak learning rate of the scorer, above 0.
        warm_up: share of the documents over which the rates rise, from 0 to below 1; they fall to 0
            linearly after it.
        weight_decay: of all matrices, at least 0.
        clip: largest gradient norm, above 0.
        soft_weight: weight of the soft-label loss beside the oracle's, at least 0.
        teacher_weight: weight of the listwise KL to the teacher's scores, where a document has
            them; at least 0. A student's needs its teacher_documents.
        temperature: of that KL, above 0.
        average_decay: per-step decay of an average of the weights, which is then what is validated
            in place of the present weights, from 0 (no average) to below 1. Either way the weights
            of the best validation are kept.
        validate_every: documents between two validations, at least 1.
        seed: of order, dropout and new weights, from 0 to 2^63 - 1.
        precision: "float32" or "bfloat16" (autocast; pays only where the processor has it).
    """

    documents: int = 100_000
    batch_tokens: int = 8_192
    encoder_rate: float = 1e-4
    scorer_rate: float = 5e-4
    warm_up: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    soft_weight: float = 0.5
    teacher_weight: float = 0.0
    temperature: float = 2.0
    average_decay: float = 0.0
    validate_every: int = 2_000
    seed: int = 1
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.precision not in {"float32", "bfloat16"}:
            raise RecipeError(
                f"precision: expected 'float32' or 'bfloat16', got {self.precision!r}"
            )
        _require_at_least(1, self, "documents", "batch_tokens", "validate_every")
        _require_above_0(self, "encoder_rate", "scorer_rate", "clip", "temperature")
        _require_at_least(0, self, "weight_decay", "soft_weight", "teacher_weight")
        _require("from 0 to below 1", lambda x: 0 <= x < 1, self, "warm_up", "average_decay")
        _require("from 0 to 2^63 - 1", lambda n: 0 <= n < 1 << 63, self, "seed")


@dataclass(frozen=True)
class TeacherRecipe:
    """The BERTSum teacher.

    Attributes:
        encoder: BERT-like pretrained encoder, a hub name or a folder; the command line may
            override it.
        frozen_layers: how many of its lowest layers keep their weights; the embeddings always do.
        document_layers: layers of the transformer over sentences; 0 is BERTSum's plain linear
            scorer.
        document_width: size of a sentence vector in it, a multiple of document_heads.
        document_heads: its heads, at least 1.
        document_positions: sentence positions that it tells apart, at least 1.
        dropout: probability in it, from 0 to 1.
        fit: how it is fitted.
    """

    encoder: str = "sentence-transformers/all-MiniLM-L6-v2"
    frozen_layers: int = 0
    document_layers: int = 2
    document_width: int = 256
    document_heads: int = 4
    document_positions: int = 24
    dropout: float = 0.1
    fit: FitRecipe = field(default_factory=FitRecipe)

    def __post_init__(self) -> None:
        _require_at_least(0, self, "frozen_layers", "document_layers")
        _require_at_least(1, self, "document_width", "document_heads", "document_positions")
        heads = self.document_heads
        _require(
            f"a multiple of document_heads = {heads}",
            lambda n: n % heads == 0,
            self,
            "document_width",
        )
        _require("from 0 to 1", lambda x: 0 <= x <= 1, self, "dropout")


@dataclass(frozen=True)
class StudentRecipe:
    """The student that is distilled from the teacher.

    Attributes:
        layers: the teacher's layers that it starts from, in order, from 0; at least one.
        heads: for each of them, the teacher's heads that it starts from, in order; one row stands
            for every layer, no row for all heads.
        width: size of its token vectors, at most the teacher's; 0 for the teacher's.
        feed_forward: inner size of each layer's feed-forward block, at most the teacher's, 0 for
            none; one number stands for every layer, no number for the teacher's.
        activation: inside them, "gelu" or "relu"; "" for the teacher's.
        document_layers: the teacher's layers over sentences that it starts from, in order, from 0;
            none for all.
        plan: for each of its layers, the pattern of each head: "matching_token", "intra_sentence",
            "previous_token", "next_token", or "free". One row stands for every layer.
        decisions: in place of a plan, the name of a decisions file, in the run folder or beside
            the recipe: each accepted pattern sits in the head that stands for the teacher's.
        undecided: what the other heads carry then, a name as in a plan.
        positions: "sentence" or "document": what a token's position counts from.
        unmatched: "self" or "all": where a token without a second copy looks.
        fixed: patterns whose heads weigh their places alike; those of matching_token keep Q and K
            for the [CLS]. Not with `control`.
        is_last_for_cls: whether the last layer is there for the [CLS] alone, and the means of
            sentences that the scorer reads are of that layer's input.
        control: what is taken away from the patterns, for comparisons: "random" has each look at
            as many random places, in "without_cls" the [CLS] do not match; "" for nothing.
        teacher_documents: how many training documents the teacher scores for the listwise KL; 0
            where fit.teacher_weight is 0, and only there.
        fit: how it is fitted.
    """

    layers: tuple[int, ...] = (0, 2, 5)
    heads: tuple[tuple[int, ...], ...] = ()
    width: int = 0
    feed_forward: tuple[int, ...] = ()
    activation: str = ""
    document_layers: tuple[int, ...] = ()
    plan: tuple[tuple[str, ...], ...] = ()
    decisions: str = ""
    undecided: str = "intra_sentence"
    positions: str = "sentence"
    unmatched: str = "self"
    fixed: tuple[str, ...] = ("previous_token", "next_token")
    is_last_for_cls: bool = False
    control: str = ""
    teacher_documents: int = 0
    fit: FitRecipe = field(default_factory=FitRecipe)

    def __post_init__(self) -> None:
        _require(
            "at least one layer, from 0 on",
            lambda layers: layers and min(layers) >= 0,
            self,
            "layers",
        )
        _require_at_least(0, self, "teacher_documents", "width")
        n = len(self.layers)
        _require(
            f"no number, one, or {n} (one for each of layers), at least 0 each",
            lambda sizes: len(sizes) in {0, 1, n} and min(sizes, default=0) >= 0,
            self,
            "feed_forward",
        )
        if self.control and "matching_token" in self.fixed:
            raise RecipeError(
                "control: expected matching_token not among fixed, whose [CLS] would lose their "
                f"learned weights beside what the control takes away, got fixed {list(self.fixed)}"
            )
        _require(
            "the name of a file, without a folder", lambda n: Path(n).name == n, self, "decisions"
        )
        if self.plan and self.decisions:
            raise RecipeError(
                f"decisions: expected it or a plan, got both ({self.decisions!r} and "
                f"{len(self.plan)} rows); leave one out"
            )
        if (self.teacher_documents > 0) != (self.fit.teacher_weight > 0):
            raise RecipeError(
                "teacher_documents: expected it and fit.teacher_weight above 0, to distil the "
                "teacher's scores, or both 0, to learn from the labels only; "
                f"got {self.teacher_documents} and {self.fit.teacher_weight}"
            )


@dataclass(frozen=True)
class InjectionRecipe:
    """The teacher with patterns injected: Projected Attention Layers beside its own attention.

    Attributes:
        heads: the pattern of each head of such a layer, names as in a student's plan; all "free"
            for the control without patterns. No heads, no such layers: the control that is only
            fitted further.
        width: size of the vectors inside them, a multiple of the number of heads.
        unmatched: "self" or "all": where a token without a second copy looks.
        rate: peak learning rate of these layers, above 0: they begin at nothing, where the
            teacher's own weights (fit.encoder_rate) only have to be adjusted.
        fit: how teacher and layers are fitted further.
    """

    heads: tuple[str, ...] = ("matching_token", "intra_sentence", "previous_token", "next_token")
    width: int = 256
    unmatched: str = "self"
    rate: float = 5e-4
    fit: FitRecipe = field(default_factory=FitRecipe)

    def __post_init__(self) -> None:
        _require_at_least(1, self, "width")
        _require_above_0(self, "rate")
        n = max(1, len(self.heads))
        _require(f"a multiple of the {n} heads", lambda width: width % n == 0, self, "width")
        if self.fit.teacher_weight > 0:
            raise RecipeError(
                "fit.teacher_weight: expected 0, for what is injected into learns from the labels "
                f"alone, got {self.fit.teacher_weight}"
            )


@dataclass(frozen=True)
class Recipe:
    """One experiment.

    Attributes:
        name: of the bundle that comes out.
        plan_reason: for people: why the student's heads carry what they carry; the bundle, its card
            and `/info` repeat it.
        texts: for people: what kind of texts the articles are, such as "English news of 2007 to
            2015"; the model card repeats it.
        data: what the models are shown.
        teacher: the teacher.
        student: the student.
        injection: the teacher with patterns.
    """

    name: str
    plan_reason: str = ""
    texts: str = ""
    data: DataRecipe = field(default_factory=DataRecipe)
    teacher: TeacherRecipe = field(default_factory=TeacherRecipe)
    student: StudentRecipe = field(default_factory=StudentRecipe)
    injection: InjectionRecipe = field(default_factory=InjectionRecipe)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Args:
        path: a TOML file.

    Returns:
        The recipe, with defaults for what the file leaves out.

    Raises:
        RecipeError: no such file, not TOML, an unknown key, or a value of the wrong kind or
            outside its range.
    """
    return make_recipe(read_table(path), where=path.name)


def read_table(path: Path) -> dict[str, Any]:
    """Read a TOML file, whatever is in it.

    Raises:
        RecipeError: no such file, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"expected a recipe at {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"expected TOML in {path}: {error}") from error


def make_recipe(table: dict[str, Any], where: str) -> Recipe:
    """Make a recipe from a TOML table.

    Args:
        table: as `read_table` gives it.
        where: what an error names.

    Raises:
        RecipeError: an unknown key, or a value of the wrong kind or outside its range.
    """
    recipe = _make_from_table(Recipe, table, where)
    assert isinstance(recipe, Recipe)
    return recipe


def _make_from_table(kind: type, table: Any, where: str) -> Any:
    """Make a dataclass from a TOML table, naming what does not fit."""
    if not isinstance(table, dict):
        raise RecipeError(f"{where}: expected a table, got {table!r}")
    hints = typing.get_type_hints(kind)
    fields = {item.name: item for item in dataclasses.fields(kind)}
    unknown = sorted(set(table) - set(fields))
    if unknown:
        raise RecipeError(
            f"{where}: unknown key {', '.join(map(repr, unknown))}; known are {', '.join(fields)}"
        )
    missing = [
        name
        for name, item in fields.items()
        if name not in table
        and item.default is dataclasses.MISSING
        and item.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise RecipeError(f"{where}: expected the key {missing[0]!r}")
    values = {
        name: _read_value(hints[name], value, f"{where}: {name}") for name, value in table.items()
    }
    try:
        return kind(**values)
    except RecipeError as error:
        raise RecipeError(f"{where}: {error}") from None


def _read_value(hint: Any, value: Any, where: str) -> Any:
    """Read one value as its field's type; lists become tuples, whole numbers finite floats."""
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return _make_from_table(hint, value, where)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise RecipeError(f"{where}: expected a list, got {value!r}")
        inner = typing.get_args(hint)[0]
        return tuple(_read_value(inner, item, where) for item in value)
    if hint is float and type(value) in {int, float}:
        return _read_finite(value, where)
    if type(value) is not hint:
        name = hint.__name__ if isinstance(hint, type | types.GenericAlias) else str(hint)
        raise RecipeError(f"{where}: expected {name}, got {value!r}")
    return value


def _read_finite(value: float, where: str) -> float:
    try:
        number = float(value)
    except OverflowError:  # a whole number above all floats
        number = math.inf
    if not math.isfinite(number):
        raise RecipeError(f"{where}: expected a finite number, got {value!r}")
    return number


def _require(expected: str, holds: Callable[[Any], Any], section: object, *names: str) -> None:
    """Raise if a value of a section is outside its range."""
    for name in names:
        value = getattr(section, name)
        if not holds(value):
            raise RecipeError(f"{name}: expected {expected}, got {value!r}")


def _require_at_least(least: int, section: object, *names: str) -> None:
    _require(f"at least {least}", lambda value: value >= least, section, *names)


def _require_above_0(section: object, *names: str) -> None:
    _require("above 0", lambda value: value > 0, section, *names)
