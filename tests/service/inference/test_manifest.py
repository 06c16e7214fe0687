"""Facts about the manifest's fields."""

import json
import re

import pytest
from pydantic import ValidationError

from service.errors import BundleError
from service.inference.manifest import Manifest, read_manifest
from tests.tiny_bundle import PATTERN_NAMES

DELETED = object()


@pytest.fixture
def fields(tiny_bundle):
    return json.loads((tiny_bundle / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "manifest.json"


def change_field(fields, dotted_name, value):
    *parents, last = dotted_name.split("/")
    for parent in parents:
        fields = fields[int(parent) if parent.isdigit() else parent]
    if value is DELETED:
        del fields[last]
    else:
        fields[last] = value


def test_fields_are_typed(tiny_bundle):
    manifest = read_manifest(tiny_bundle / "manifest.json")
    assert manifest.name == "patsum-tiny"
    assert manifest.languages == ("en",)
    assert manifest.model.patterns == ((*PATTERN_NAMES[:3], None),)
    assert manifest.faithfulness is not None
    assert manifest.faithfulness.leave_one_out_kendall_tau == 0.5


def test_manifest_survives_a_round_trip(tiny_bundle, fields):
    manifest = read_manifest(tiny_bundle / "manifest.json")
    assert manifest.model_dump(mode="json", by_alias=True) == fields
    assert Manifest.model_validate_json(manifest.model_dump_json(by_alias=True)) == manifest


def test_field_of_a_newer_export_is_kept(fields, path):
    path.write_text(json.dumps({**fields, "newer": [1]}), encoding="utf-8")
    assert read_manifest(path).model_dump()["newer"] == [1]


def test_manifest_cannot_be_changed(tiny_bundle):
    manifest = read_manifest(tiny_bundle / "manifest.json")
    with pytest.raises(ValidationError, match="frozen"):
        manifest.name = "other"


def test_unmeasured_faithfulness_is_none(fields, path):
    path.write_text(json.dumps({**fields, "faithfulness": None}), encoding="utf-8")
    assert read_manifest(path).faithfulness is None


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_broken_json_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(BundleError, match=rf"expected JSON in {re.escape(str(path))}, got "):
        read_manifest(path)


def test_other_json_than_an_object_is_refused(path):
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(BundleError, match=r"expected a JSON object in .* got list"):
        read_manifest(path)


@pytest.mark.parametrize("number", [1, 3, "2", None])
def test_other_format_is_refused(fields, path, number):
    path.write_text(json.dumps({**fields, "format": number}), encoding="utf-8")
    with pytest.raises(BundleError, match=rf"expected bundle format 2 in .*, got {number!r};"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("name", 3, "name: .*string"),
        ("name", DELETED, "name: Field required"),
        ("languages", "en", "languages: .*array"),
        ("created", "today", "created: .*pattern"),
        ("fingerprint", "ABC", "fingerprint: .*pattern"),
        ("encoder/max_tokens", "512", "encoder.max_tokens: .*integer"),
        ("encoder/max_tokens", -1, "encoder.max_tokens: .*greater"),
        ("files/model.onnx/bytes", 1.5, "files.model.onnx.bytes: .*integer"),
        ("files/model.onnx/sha256", "0", "files.model.onnx.sha256: .*pattern"),
        ("files/punkt.json", DELETED, r"the whole: .*\['punkt.json'\]"),
        ("files/..", {"sha256": "0" * 64, "bytes": 0}, "files.*pattern"),
        ("files/.hidden", {"sha256": "0" * 64, "bytes": 0}, "files.*pattern"),
        ("model/unmatched", "none", "model.unmatched: .*'self' or 'all'"),
        (
            "model/patterns",
            [["matching_token"]],
            r"model: .*1 layers of up to 4 heads, got layers of",
        ),
        ("model/placements/0/head", 0, r"model: .*got 'intra_sentence' for layer 0, head 0"),
        ("model/placements/0/head", 4, "model: .*head 4, which carries None"),
        ("model/placements/0/evidence/lift", -1, "model.placements.0.evidence.lift: .*greater"),
        ("model/pattern_names", [1], "model.pattern_names.0: .*string"),
        ("faithfulness/sufficiency", float("nan"), "faithfulness.sufficiency: .*finite"),
        ("faithfulness/n", DELETED, "faithfulness.n: Field required"),
    ],
)
def test_wrong_field_is_named(fields, path, name, value, message):
    change_field(fields, name, value)
    path.write_text(json.dumps(fields), encoding="utf-8")
    with pytest.raises(BundleError, match=f"got a wrong field {message}"):
        read_manifest(path)


def test_file_name_cannot_leave_the_folder(fields, path):
    fields["files"]["../other"] = {"sha256": "0" * 64, "bytes": 0}
    path.write_text(json.dumps(fields), encoding="utf-8")
    with pytest.raises(BundleError, match="wrong field files"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("patterns", "fixed", "is_linear"),
    [
        (["intra_sentence", "next_token"], ["next_token"], True),
        (["matching_token", "next_token"], ["matching_token", "next_token"], True),
        (["matching_token", "next_token"], ["next_token"], False),
        (["intra_sentence", None], ["next_token"], False),
    ],
)
def test_cost_grows_with_the_text_alone_where_no_head_looks_at_all_pairs(
    fields, patterns, fixed, is_linear
):
    fields["model"] |= {"heads": 2, "layers": 1, "patterns": [patterns], "fixed": fixed}
    fields["model"]["placements"] = []
    assert Manifest.model_validate_json(json.dumps(fields)).model.is_linear is is_linear


def test_bundle_of_before_names_neither_fixed_patterns_nor_reasons(fields):
    for name in ("fixed", "plan_reason", "placements"):
        del fields["model"][name]
    model = Manifest.model_validate_json(json.dumps(fields)).model
    assert model.fixed == ("previous_token", "next_token")
    assert (model.plan_reason, model.placements) == ("", ())


def test_bundle_of_before_has_no_default_length(fields):
    del fields["default_length"]
    assert Manifest.model_validate_json(json.dumps(fields)).default_length is None


def test_default_length_survives_a_round_trip(four_sentence_bundle):
    manifest = read_manifest(four_sentence_bundle / "manifest.json")
    assert manifest.default_length is not None
    assert manifest.default_length.weights["is_four"] == 1.0
    assert Manifest.model_validate_json(manifest.model_dump_json(by_alias=True)) == manifest


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("weights/is_four", DELETED, "default_length: .*another version of patsum"),
        ("weights/is_five", 1.0, "default_length: .*got .*'is_five'.*another version of patsum"),
        ("weights/is_four", float("inf"), "default_length.weights.is_four: .*finite"),
        ("gain/rouge1", [0.0], "default_length.gain.rouge1"),
        ("n", DELETED, "default_length.n: Field required"),
    ],
)
def test_wrong_default_length_is_named(four_sentence_bundle, path, name, value, message):
    fields = json.loads((four_sentence_bundle / "manifest.json").read_text(encoding="utf-8"))
    change_field(fields["default_length"], name, value)
    path.write_text(json.dumps(fields), encoding="utf-8")
    with pytest.raises(BundleError, match=f"got a wrong field {message}"):
        read_manifest(path)
