"""The manifest: what a bundle says about itself, checked field by field.

`manifest.json` names the files that answers depend on with their sizes and sha256, the encoder's
settings and fingerprint, the model's shape and patterns, and the quality that was measured. The
model card, README.md, is not among the files, and what was measured is not measured again: only
its form is checked. A field that this version does not know is kept as it is, unchecked, so that a
newer export may add some.
"""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.errors import BundleError
from service.text.adaptive_length import FEATURES
from service.text.encode import DEFAULT_MAX_SENTENCES

FORMAT = 2
MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
PUNKT_FILE = "punkt.json"
MANIFEST_FILE = "manifest.json"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)


class FileEntry(_Section):
    """One file of the bundle.

    Attributes:
        sha256: of its bytes, 64 hexadecimal digits.
        bytes: its size.
    """

    sha256: Sha256
    bytes: Count


class EncoderEntry(_Section):
    """The settings of `service.text.encode.EncoderSettings`."""

    max_tokens: Count
    max_sentence_tokens: Count
    max_sentences: Count = DEFAULT_MAX_SENTENCES


class EvidenceEntry(_Section):
    """What was measured of a pattern in a head of the teacher.

    Attributes:
        relevance: GR, the mean attention inside the pattern, 0 to 1.
        lift: relevance over that of uniform attention.
        z: standard deviations of the relevance above the mean over all heads.
        low: lower end of the 95 % bootstrap interval of the relevance over documents.
        high: its upper end.
        n_documents: how many documents were measured.
    """

    relevance: float = Field(ge=0, le=1)
    lift: float = Field(ge=0)
    z: float
    low: float
    high: float
    n_documents: Count


class PlacementEntry(_Section):
    """A pattern that a person found in the teacher's head, and the student's head that carries it.

    Attributes:
        layer: of the student's head, from 0.
        head: of the student's layer, from 0.
        pattern: that it carries.
        teacher_layer: of the teacher's head that it began as, from 0.
        teacher_head: of that layer, from 0.
        note: the person's own words; "" for none.
        evidence: None where nothing was measured.
    """

    layer: Count
    head: Count
    pattern: str
    teacher_layer: Count
    teacher_head: Count
    note: str = ""
    evidence: EvidenceEntry | None = None


class ModelEntry(_Section):
    """The student's shape and the patterns that its heads carry.

    Attributes:
        layers: token layers.
        width: numbers in a token's vector.
        heads: of the token layer that has the most.
        document_layers: layers over the sentences, above the token layers.
        unmatched: where a token without a match looks under `matching_token`: "self" or "all".
        patterns: for each layer, for each head, the name of its pattern, or None for a free head.
        fixed: patterns whose heads weigh the places they may look at alike; the [CLS] of such a
            `matching_token` head keep learned weights among each other.
        is_last_for_cls: the last token layer is computed for the [CLS] alone: nothing else of it is
            read.
        pattern_names: what the columns of the graph's `pattern_shares` stand for, in their order.
        weights: number format of the weights, such as "int8".
        opset: ONNX operator set of the graph.
        plan_reason: why the heads carry what they carry, in words; "" where nobody said.
        placements: what a person decided about single heads.
    """

    layers: Count
    width: Count
    heads: Count
    document_layers: Count
    unmatched: Literal["self", "all"]
    patterns: tuple[tuple[str | None, ...], ...]
    fixed: tuple[str, ...] = ("previous_token", "next_token")
    is_last_for_cls: bool = False
    pattern_names: tuple[str, ...]
    weights: str
    opset: Count
    plan_reason: str = ""
    placements: tuple[PlacementEntry, ...] = ()

    @property
    def is_linear(self) -> bool:
        """Whether no head looks at all pairs of tokens, so that cost grows with the text alone.

        A fixed `intra_sentence` head, like one of matching that is not fixed, is computed on all
        pairs.
        """
        carried = {pattern for layer in self.patterns for pattern in layer}
        if "intra_sentence" in carried and "intra_sentence" in self.fixed:
            return False
        return None not in carried and (
            "matching_token" not in carried or "matching_token" in self.fixed
        )

    @model_validator(mode="after")
    def _check_pattern_grid(self) -> "ModelEntry":
        sizes = [len(layer) for layer in self.patterns]
        if len(sizes) != self.layers or max(sizes) != self.heads or min(sizes) < 1:
            raise ValueError(
                f"expected patterns for {self.layers} layers of up to {self.heads} heads, "
                f"got layers of {sizes}"
            )
        return self

    @model_validator(mode="after")
    def _check_placements(self) -> "ModelEntry":
        carried = {
            (layer, head): pattern
            for layer, row in enumerate(self.patterns)
            for head, pattern in enumerate(row)
        }
        for item in self.placements:
            place = item.layer, item.head
            if place not in carried or carried[place] != item.pattern:
                raise ValueError(
                    f"expected placements of what heads carry, got {item.pattern!r} for layer "
                    f"{item.layer}, head {item.head}, which carries {carried.get(place)!r}"
                )
        return self


class QualityEntry(_Section):
    """One measurement, and the command that repeats it; its figures are kept unchecked."""

    data: str
    n: Count
    command: str


class Faithfulness(_Section):
    """How far the attention evidence agrees with the effect of removing sentences.

    Attributes:
        comprehensiveness: mean drop of a chosen sentence's score without its evidence.
        sufficiency: mean drop of it with nothing but its evidence.
        leave_one_out_kendall_tau: mean rank agreement with leaving out one sentence, in [-1, 1].
        n: documents measured.
    """

    comprehensiveness: float
    sufficiency: float
    leave_one_out_kendall_tau: float = Field(alias="leaveOneOutKendallTau", ge=-1, le=1)
    n: Count


class DefaultLengthEntry(_Section):
    """How many sentences a summary has when the caller does not say, fitted on articles.

    Attributes:
        weights: of `service.text.adaptive_length.AdaptiveLength`, one for each of its features.
        data: name of what they were fitted on.
        n: articles of it.
        command: that fits them again.
        gain: over always three sentences, by metric: ROUGE points with the ends of the 95 %
            interval, of weights fitted on other articles.
    """

    weights: dict[str, float]
    data: str
    n: Count
    command: str
    gain: dict[str, tuple[float, float, float]]

    @model_validator(mode="after")
    def _check_features(self) -> "DefaultLengthEntry":
        if set(self.weights) != set(FEATURES):
            raise ValueError(
                f"expected weights of {sorted(FEATURES)}, got {sorted(self.weights)}: "
                "another version of patsum fitted them"
            )
        return self


class Manifest(_Section):
    """Everything in `manifest.json`.

    Attributes:
        format: 1.
        name: of the model, such as "patsum-news-en-3x384".
        created: date, YYYY-MM-DD.
        languages: ISO 639-1 codes of the texts that it was trained for.
        license: SPDX identifier of the weights' license.
        files: file name -> size and hash, of the graph, the tokenizer and the sentence boundaries
            at least; the model card and the manifest itself have none.
        encoder: how much of a text the model reads.
        fingerprint: of the encoder, sha256 over the probe texts.
        model: shape and patterns.
        quality: measurements, the headline first.
        faithfulness: of the attention evidence; None when not measured.
        default_length: weights that choose between two, three and four sentences; None for three.
        training: recipe and teacher, in free form.
    """

    format: Literal[2]
    name: str = Field(min_length=1)
    created: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    languages: tuple[str, ...]
    license: str
    files: dict[FileName, FileEntry]
    encoder: EncoderEntry
    fingerprint: Sha256
    model: ModelEntry
    quality: tuple[QualityEntry, ...] = ()
    faithfulness: Faithfulness | None = None
    default_length: DefaultLengthEntry | None = None
    training: dict[str, object] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_files(self) -> "Manifest":
        missing = {MODEL_FILE, TOKENIZER_FILE, PUNKT_FILE} - set(self.files)
        if missing:
            raise ValueError(f"expected an entry in files for each of {sorted(missing)}, got none")
        return self


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest.

    Args:
        path: of `manifest.json`.

    Returns:
        The manifest, every field of the right type.

    Raises:
        BundleError: the file is missing, no JSON, of another format, or a field is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
        fields = json.loads(text)
    except OSError as error:
        raise BundleError(
            f"expected the manifest of a bundle at {path}, got {error.strerror}; "
            "name a bundle folder, or make one with `patsum export`"
        ) from error
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"expected JSON in {path}, got {error}; export the bundle again"
        ) from error
    if not isinstance(fields, dict):
        raise BundleError(
            f"expected a JSON object in {path}, got {type(fields).__name__}; "
            "export the bundle again"
        )
    if fields.get("format") != FORMAT:
        raise BundleError(
            f"expected bundle format {FORMAT} in {path}, got {fields.get('format')!r}; "
            "use the patsum version that exported it, or export it again"
        )
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise BundleError(
            f"expected a bundle manifest in {path}, got a wrong field {field}: {first['msg']}; "
            "export the bundle again"
        ) from error
