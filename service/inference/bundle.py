"""The bundle: the folder that export writes and the service reads.

    model.onnx      the student, with its patterns in the graph
    tokenizer.json  word pieces
    punkt.json      sentence boundaries
    manifest.json   sizes and hashes of those, encoder settings, fingerprint, default length,
                    measured quality
    README.md       the model card, for people

Nothing that an answer depends on is taken on trust: a file with other bytes, or an encoder that
cuts the probe texts in another way than the one that the model was trained with, stops the start.
"""

import hashlib
import json
from pathlib import Path

from tokenizers import Tokenizer

from service.errors import BundleError, ShapeError
from service.inference.manifest import (
    MANIFEST_FILE,
    MODEL_FILE,
    PUNKT_FILE,
    TOKENIZER_FILE,
    FileEntry,
    Manifest,
    read_manifest,
)
from service.text.adaptive_length import AdaptiveLength
from service.text.encode import EncoderSettings, TextEncoder
from service.text.sentences import SentenceSplitter


class Bundle:
    """A bundle folder, read and verified.

    Args:
        path: the folder.

    Attributes:
        path: the folder.
        manifest: what it says about itself.
        encoder: text to model input, with the fingerprint that the manifest names.
        model_path: of the ONNX graph.
        adaptive_length: how many sentences a summary has without a length rule; None for three.
        version: name and 12 digits of a sha256 over all that answers depend on (the three files,
            the encoder settings and the weights of the default length), "patsum-…@sha256:3f2a…".

    Raises:
        BundleError: a file is missing, corrupt or of another format, or the fingerprint differs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest: Manifest = read_manifest(path / MANIFEST_FILE)
        for name, entry in self.manifest.files.items():
            _verify_file(path / name, entry)
        self.model_path = path / MODEL_FILE
        self.encoder = _read_encoder(path, self.manifest)
        _verify_fingerprint(path, self.encoder.fingerprint(), self.manifest.fingerprint)
        length = self.manifest.default_length
        self.adaptive_length = AdaptiveLength(length.weights) if length else None
        self.version = f"{self.manifest.name}@sha256:{_identify(self.manifest)[:12]}"


def embedded_bundle_path() -> Path:
    """Name the folder of the bundle that comes with the package."""
    return Path(__file__).parent / "default"


def _identify(manifest: Manifest) -> str:
    """Hash what answers depend on; measurements and the card may change without a new version."""
    parts = [f"{name} {entry.sha256}" for name, entry in sorted(manifest.files.items())]
    encoder = manifest.encoder
    parts.append(f"{encoder.max_tokens} {encoder.max_sentence_tokens} {encoder.max_sentences}")
    if manifest.default_length is not None:
        parts.append(json.dumps(manifest.default_length.weights, sort_keys=True))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _verify_file(path: Path, entry: FileEntry) -> None:
    try:
        with path.open("rb") as file:
            n_bytes = path.stat().st_size
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(
            f"expected the file {path}, got {error.strerror}; "
            "copy the whole bundle folder again, or export it again"
        ) from error
    if n_bytes != entry.bytes:
        raise BundleError(
            f"expected {entry.bytes} bytes in {path}, got {n_bytes}; copy the bundle again "
            "(a file of about 130 bytes is a Git LFS pointer: run `git lfs pull`)"
        )
    if sha256 != entry.sha256:
        raise BundleError(
            f"expected sha256 {entry.sha256} of {path}, got {sha256}; "
            "the file was changed or damaged: copy the bundle again"
        )


def _read_encoder(path: Path, manifest: Manifest) -> TextEncoder:
    tokenizer_path = path / TOKENIZER_FILE
    try:
        tokenizer = Tokenizer.from_file(str(tokenizer_path))
    except Exception as error:  # tokenizers raises nothing more exact
        raise BundleError(
            f"expected a tokenizer in {tokenizer_path}, got {error}; export the bundle again"
        ) from error
    splitter = SentenceSplitter.from_json(path / PUNKT_FILE)
    try:
        settings = EncoderSettings(
            max_tokens=manifest.encoder.max_tokens,
            max_sentence_tokens=manifest.encoder.max_sentence_tokens,
            max_sentences=manifest.encoder.max_sentences,
        )
    except ShapeError as error:
        raise BundleError(
            f"encoder settings in {path / MANIFEST_FILE}: {error}; export the bundle again"
        ) from error
    return TextEncoder(tokenizer, splitter, settings)


def _verify_fingerprint(path: Path, got: str, expected: str) -> None:
    if got != expected:
        raise BundleError(
            f"expected encoder fingerprint {expected} in {path / MANIFEST_FILE}, got {got}: this "
            "installation cuts text in another way than the model was trained on; install the "
            "nltk and tokenizers versions of the release, or export the bundle again"
        )
