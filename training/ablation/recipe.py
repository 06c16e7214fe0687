"""Ablation recipes: a base recipe, named changes to one of its sections, and seeds; TOML.

    name = "student-patterns"
    base = "../news.toml"        # a recipe, its path counted from this file
    section = "student"          # what is changed and fitted: "student" or "injection"
    reference = "free"           # the variant that the others are compared with
    seeds = [1, 2, 3]

    [common.fit]                 # changes that every variant shares
    documents = 3_000

    [variants.free]              # changes of one variant; none at all is the base
    plan = [["free", "free", "free", "free"]]

A variant with a plan drops the base's decisions file, and the other way round. Decisions files lie
in the run folder or beside the ablation recipe.
"""

import copy
import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from service.errors import RecipeError
from training.recipe import Recipe, make_recipe, read_table
from training.run import refuse_unknown_heads

_SECTIONS: Final = ("student", "injection")
_KEYS: Final = ("name", "base", "section", "reference", "seeds", "common", "variants")
_NEEDED: Final = ("name", "base", "reference", "seeds", "variants")
_EXCLUSIVE: Final = (("plan", "decisions"), ("decisions", "plan"))
_TAKEN: Final = ("Lead-3", "lead3", "teacher", "teacher_scores")
_FOLDER_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Ablation:
    """What is to be compared.

    Attributes:
        name: of the folder of its results.
        section: "student" or "injection": what each variant fits.
        reference: name of the variant that the others are compared with.
        seeds: of the fits of each variant, at least one, each once.
        variants: by name, the whole experiment, its seed aside.
    """

    name: str
    section: str
    reference: str
    seeds: tuple[int, ...]
    variants: Mapping[str, Recipe]

    def recipe(self, variant: str, seed: int) -> Recipe:
        """The experiment of one variant with one seed."""
        recipe = self.variants[variant]
        section = getattr(recipe, self.section)
        fit = dataclasses.replace(section.fit, seed=seed)
        return dataclasses.replace(recipe, **{self.section: dataclasses.replace(section, fit=fit)})


def read_ablation(path: Path) -> Ablation:
    """Read an ablation recipe, every variant checked.

    Raises:
        RecipeError: no such file, not TOML, an unknown or missing key, a value of the wrong kind,
            or a variant that makes no valid recipe.
    """
    table = read_table(path)
    _refuse_other_keys(table, path.name)
    section = table.get("section", "student")
    if section not in _SECTIONS:
        raise RecipeError(f"{path.name}: section: expected one of {_SECTIONS}, got {section!r}")
    base = path.parent / _read_text(table, "base", path.name)
    base_table = read_table(base)
    changes = _read_tables(table["variants"], f"{path.name}: variants")
    common = table.get("common", {})
    _read_tables({"common": common}, path.name)
    variants = {}
    for name, change in changes.items():
        where = f"{path.name}: variants.{name}"
        merged = copy.deepcopy(base_table)
        for one in (common, change):
            merged[section] = _merge(merged.get(section, {}), one)
        variants[name] = make_recipe(merged, where)
        refuse_unknown_heads(variants[name])
    reference = _read_text(table, "reference", path.name)
    if reference not in variants:
        raise RecipeError(
            f"{path.name}: reference: expected one of {', '.join(variants)}, got {reference!r}"
        )
    name = _read_text(table, "name", path.name)
    _refuse_no_folder_name(path.name, name, *variants)
    return Ablation(name, section, reference, _read_seeds(table["seeds"], path.name), variants)


def _merge(table: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Put changes into a table, tables inside it key by key."""
    merged = dict(table)
    for given, other in _EXCLUSIVE:
        if given in changes:
            merged.pop(other, None)
    for key, value in changes.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _refuse_other_keys(table: dict[str, Any], where: str) -> None:
    if unknown := sorted(set(table) - set(_KEYS)):
        raise RecipeError(
            f"{where}: unknown key {', '.join(map(repr, unknown))}; known are {', '.join(_KEYS)}"
        )
    if missing := [name for name in _NEEDED if name not in table]:
        raise RecipeError(f"{where}: expected the key {missing[0]!r}")


def _read_text(table: dict[str, Any], key: str, where: str) -> str:
    value = table[key]
    if not isinstance(value, str):
        raise RecipeError(f"{where}: {key}: expected str, got {value!r}")
    return value


def _read_tables(value: Any, where: str) -> dict[str, dict[str, Any]]:
    if not isinstance(value, dict) or not value:
        raise RecipeError(f"{where}: expected named tables, got {value!r}")
    for name, table in value.items():
        if not isinstance(table, dict):
            raise RecipeError(f"{where}.{name}: expected a table, got {table!r}")
    return value


def _read_seeds(value: Any, where: str) -> tuple[int, ...]:
    is_list = isinstance(value, list) and value and all(type(seed) is int for seed in value)
    if not is_list or len(set(value)) < len(value) or min(value) < 0:
        raise RecipeError(
            f"{where}: seeds: expected whole numbers from 0 on, each once, got {value!r}"
        )
    return tuple(value)


def _refuse_no_folder_name(where: str, *names: str) -> None:
    for name in names:
        if not _FOLDER_NAME.fullmatch(name) or name in _TAKEN:
            raise RecipeError(
                f"{where}: expected names of letters, digits, '.', '_' and '-', none of "
                f"{', '.join(_TAKEN)}, got {name!r}; they become folders"
            )
