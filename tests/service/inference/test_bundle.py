"""Facts about reading and verifying a bundle folder."""

import hashlib
import json
import re

import pytest

from service.errors import BundleError
from service.inference.bundle import Bundle, embedded_bundle_path
from service.text.encode import EncoderSettings, TextEncoder
from service.text.sentences import SentenceSplitter
from tests.tiny_bundle import (
    MAX_SENTENCE_TOKENS,
    MAX_TOKENS,
    tiny_tokenizer,
    write_default_length,
    write_manifest,
)


def read_manifest_fields(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def test_bundle_is_whole_after_construction(tiny_bundle):
    bundle = Bundle(tiny_bundle)
    assert re.fullmatch(r"patsum-tiny@sha256:[0-9a-f]{12}", bundle.version)
    assert bundle.model_path == tiny_bundle / "model.onnx"
    assert bundle.encoder.settings.max_tokens == MAX_TOKENS
    assert bundle.encoder.settings.max_sentence_tokens == MAX_SENTENCE_TOKENS
    assert bundle.encoder.encode("It was a storm. The ferry left.").n_encoded == 2


@pytest.mark.parametrize(
    ("section", "changes"),
    [("encoder", {"max_tokens": MAX_TOKENS - 1}), ("quality", []), ("created", "2001-01-01")],
)
def test_version_follows_what_answers_depend_on_and_nothing_else(
    section, changes, tiny_bundle, tiny_bundle_copy
):
    fields = read_manifest_fields(tiny_bundle_copy)
    fields[section] = {**fields[section], **changes} if isinstance(changes, dict) else changes
    with_other_limit = section == "encoder"
    if with_other_limit:
        changed = EncoderSettings(**fields["encoder"])
        splitter = SentenceSplitter.from_json(tiny_bundle / "punkt.json")
        fields["fingerprint"] = TextEncoder(tiny_tokenizer(), splitter, changed).fingerprint()
    write_manifest(tiny_bundle_copy, fields)
    is_same = Bundle(tiny_bundle_copy).version == Bundle(tiny_bundle).version
    assert is_same is not with_other_limit


def test_version_follows_the_weights_of_the_default_length_and_not_their_measurement(
    tiny_bundle, tiny_bundle_copy
):
    versions = [Bundle(tiny_bundle).version]
    for weight in (1.0, 1.5):
        write_default_length(tiny_bundle_copy, is_two=weight)
        versions.append(Bundle(tiny_bundle_copy).version)
    assert len(set(versions)) == 3
    fields = read_manifest_fields(tiny_bundle_copy)
    fields["default_length"] |= {"n": 7, "command": "another"}
    write_manifest(tiny_bundle_copy, fields)
    assert Bundle(tiny_bundle_copy).version == versions[-1]


def test_embedded_bundle_lies_in_the_package():
    assert embedded_bundle_path().parts[-3:] == ("service", "inference", "default")


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(BundleError, match=r"expected the manifest of a bundle at .*none.*export"):
        Bundle(tmp_path / "none")


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "punkt.json"])
def test_missing_file_is_named(tiny_bundle_copy, name):
    (tiny_bundle_copy / name).unlink()
    with pytest.raises(BundleError, match=rf"expected the file .*{name}, got No such file.*copy"):
        Bundle(tiny_bundle_copy)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "punkt.json"])
def test_file_of_another_size_is_named(tiny_bundle_copy, name):
    path = tiny_bundle_copy / name
    n_bytes = path.stat().st_size
    path.write_bytes(path.read_bytes() + b" ")
    message = rf"expected {n_bytes} bytes in .*{name}, got {n_bytes + 1}; copy"
    with pytest.raises(BundleError, match=message):
        Bundle(tiny_bundle_copy)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "punkt.json"])
def test_one_flipped_bit_is_noticed(tiny_bundle_copy, name):
    path = tiny_bundle_copy / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    expected = read_manifest_fields(tiny_bundle_copy)["files"][name]["sha256"]
    got = hashlib.sha256(content).hexdigest()
    message = rf"expected sha256 {expected} of .*{name}, got {got};"
    with pytest.raises(BundleError, match=message):
        Bundle(tiny_bundle_copy)


def test_other_fingerprint_is_refused(tiny_bundle_copy):
    fields = read_manifest_fields(tiny_bundle_copy)
    write_manifest(tiny_bundle_copy, {**fields, "fingerprint": "0" * 64})
    message = rf"expected encoder fingerprint 0{{64}} .*got {fields['fingerprint']}.*install"
    with pytest.raises(BundleError, match=message):
        Bundle(tiny_bundle_copy)


def test_other_encoder_settings_change_the_fingerprint(tiny_bundle_copy):
    fields = read_manifest_fields(tiny_bundle_copy)
    fields["encoder"]["max_sentence_tokens"] = MAX_SENTENCE_TOKENS // 2
    write_manifest(tiny_bundle_copy, fields)
    with pytest.raises(BundleError, match="expected encoder fingerprint"):
        Bundle(tiny_bundle_copy)


def test_impossible_encoder_settings_are_refused(tiny_bundle_copy):
    fields = read_manifest_fields(tiny_bundle_copy)
    fields["encoder"] = {"max_tokens": 8, "max_sentence_tokens": 9}
    write_manifest(tiny_bundle_copy, fields)
    message = re.escape("expected 3 <= max_sentence_tokens <= max_tokens, got 9 and 8")
    with pytest.raises(BundleError, match=message):
        Bundle(tiny_bundle_copy)


def test_file_that_is_no_tokenizer_is_refused(tiny_bundle_copy):
    (tiny_bundle_copy / "tokenizer.json").write_text('{"model": 1}', encoding="utf-8")
    write_manifest(tiny_bundle_copy, read_manifest_fields(tiny_bundle_copy))
    with pytest.raises(BundleError, match=r"expected a tokenizer in .*tokenizer\.json"):
        Bundle(tiny_bundle_copy)


def test_file_without_sentence_parameters_is_refused(tiny_bundle_copy):
    (tiny_bundle_copy / "punkt.json").write_text("{}", encoding="utf-8")
    write_manifest(tiny_bundle_copy, read_manifest_fields(tiny_bundle_copy))
    with pytest.raises(BundleError, match=r"punkt\.json"):
        Bundle(tiny_bundle_copy)
