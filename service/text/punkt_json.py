"""Punkt parameters as a JSON file: four sorted lists, which reading cannot execute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nltk.tokenize.punkt import PunktParameters

from service.errors import BundleError

FORMAT = 1
_KEYS = {"format", "abbreviations", "collocations", "sentence_starters", "case_of_words"}


def write_punkt(parameters: PunktParameters, path: Path) -> None:
    """Write Punkt parameters so that equal parameters give equal bytes.

    Args:
        parameters: what a `PunktTrainer` found.
        path: the JSON file to write; its folder must exist.
    """
    fields = {
        "format": FORMAT,
        "abbreviations": sorted(parameters.abbrev_types),
        "collocations": sorted([first, second] for first, second in parameters.collocations),
        "sentence_starters": sorted(parameters.sent_starters),
        "case_of_words": dict(sorted(parameters.ortho_context.items())),
    }
    text = json.dumps(fields, ensure_ascii=True, separators=(",", ":"))
    path.write_text(text + "\n", encoding="ascii")


def read_punkt(path: Path) -> PunktParameters:
    """Read the parameters that `write_punkt` wrote.

    Args:
        path: a JSON file, normally `punkt.json` of a bundle.

    Returns:
        nltk's parameters, ready for a `PunktSentenceTokenizer`.

    Raises:
        BundleError: the file is missing, is no JSON, or holds something else than these lists.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleError(_complaint(path, f"could not be read ({error.strerror})")) from error
    except (ValueError, RecursionError) as error:
        raise BundleError(_complaint(path, f"is not JSON ({error})")) from error
    wrong = _first_wrong_field(fields)
    if wrong:
        raise BundleError(_complaint(path, wrong))
    parameters = PunktParameters()
    parameters.abbrev_types = set(fields["abbreviations"])
    parameters.collocations = {(first, second) for first, second in fields["collocations"]}
    parameters.sent_starters = set(fields["sentence_starters"])
    parameters.ortho_context.update(fields["case_of_words"])
    return parameters


def _first_wrong_field(fields: Any) -> str:
    """Say what is wrong with the value of a punkt file, or "" when nothing is."""
    if not isinstance(fields, dict) or set(fields) != _KEYS:
        came = sorted(fields) if isinstance(fields, dict) else type(fields).__name__
        return f"should hold the fields {sorted(_KEYS)}, got {came}"
    if fields["format"] != FORMAT:
        return f"should be of format {FORMAT}, got {fields['format']!r}"
    for name in ("abbreviations", "sentence_starters"):
        if not _is_list_of_words(fields[name]):
            return f"field {name!r} should be a list of strings"
    pairs = fields["collocations"]
    if not isinstance(pairs, list) or not all(_is_list_of_words(p) and len(p) == 2 for p in pairs):
        return "field 'collocations' should be a list of pairs of strings"
    flags = fields["case_of_words"]
    if not isinstance(flags, dict) or not all(type(flag) is int for flag in flags.values()):
        return "field 'case_of_words' should map words to whole numbers"
    return ""


def _is_list_of_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _complaint(path: Path, what: str) -> str:
    return f"sentence parameters {path} {what}; restore the bundle or export it again"
