"""A complete, valid bundle that is made in a moment: tiny vocabulary, tiny real ONNX graph.

The graph has the inputs and outputs of a student but no training: a sentence is the mean of its
tokens' random vectors, looks at sentences like itself, and its score depends on all of them.
"""

import hashlib
import json
import string

import numpy as np
import onnx
from nltk.tokenize.punkt import PunktParameters
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from export.explain_on_demand import explain_on_demand
from service.text.adaptive_length import FEATURES
from service.text.encode import EncoderSettings, TextEncoder
from service.text.punkt_json import write_punkt
from service.text.sentences import SentenceSplitter

WORDS = (
    "a about after all also an and are as at be been before but by can city could day did do down "
    "first for from had has have he her his how if in into is it its last like made many may more "
    "most new no not now of old on one only or other our out over people she so some than that the "
    "their them then there they this time to two up was we were what when which who will with "
    "would year you bridge council ferry harbour market mayor minister money rain report river "
    "road school storm train vote water wind"
)
PATTERN_NAMES = ("matching_token", "intra_sentence", "previous_token", "next_token")
PLACEMENT = {
    "layer": 0,
    "head": 1,
    "pattern": "intra_sentence",
    "teacher_layer": 3,
    "teacher_head": 8,
    "note": "hardly leaves its sentence",
    "evidence": {
        "relevance": 0.5,
        "lift": 7.0,
        "z": 2.5,
        "low": 0.25,
        "high": 0.75,
        "n_documents": 60,
    },
}
MAX_TOKENS = 512
MAX_SENTENCE_TOKENS = 64
WIDTH = 8


def tiny_tokenizer():
    """WordPiece over a few words and every ASCII character."""
    characters = sorted(set(string.ascii_lowercase + string.digits + string.punctuation))
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *characters]
    pieces += [f"##{c}" for c in string.ascii_lowercase + string.digits]
    pieces += [word for word in WORDS.split() if word not in pieces]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    return tokenizer


def tiny_weights(n_tokens):
    """The graph's constants: token vectors, the scorer, the pattern scorer."""
    random = np.random.default_rng(7)
    return {
        "vectors": random.normal(size=(n_tokens, WIDTH)).astype(np.float32),
        "scorer": (2 * random.normal(size=WIDTH)).astype(np.float32),
        "pattern_scorer": random.normal(size=(WIDTH, len(PATTERN_NAMES))).astype(np.float32),
    }


def tiny_model_in_numpy(token_ids, sentence_ids):
    """The same arithmetic as the graph's, for an oracle: its four outputs in float64."""
    weights = tiny_weights(tiny_tokenizer().get_vocab_size())
    member = (np.arange(sentence_ids.max() + 1)[:, None] == sentence_ids).astype(float)  # S, T
    means = member @ weights["vectors"][token_ids] / member.sum(axis=1, keepdims=True)
    attention = softmax(means @ means.T)
    matches = member @ (token_ids[:, None] == token_ids) @ member.T
    return (
        1 / (1 + np.exp(-((means + attention @ means) @ weights["scorer"]))),
        attention,
        matches / matches.sum(axis=1, keepdims=True),
        softmax(means @ weights["pattern_scorer"]),
    )


def softmax(rows):
    exponents = np.exp(rows - rows.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def tiny_graph(n_tokens):
    """Build the ONNX model: token_ids, sentence_ids and explain in, the four outputs out."""
    constants = {
        **tiny_weights(n_tokens),
        "zero": np.array(0),
        "one": np.array(1),
        "axis_1": np.array([1]),
    }
    float_type = TensorProto.FLOAT
    node = helper.make_node
    nodes = [
        node("ReduceMax", ["sentence_ids"], ["last"], keepdims=0),
        node("Add", ["last", "one"], ["n_sentences"]),
        node("Range", ["zero", "n_sentences", "one"], ["sentences"]),
        node("Unsqueeze", ["sentences", "axis_1"], ["sentence_column"]),
        node("Equal", ["sentence_column", "sentence_ids"], ["is_member"]),
        node("Cast", ["is_member"], ["member"], to=float_type),
        node("ReduceSum", ["member", "axis_1"], ["n_members"], keepdims=1),
        node("Gather", ["vectors", "token_ids"], ["token_vectors"]),
        node("MatMul", ["member", "token_vectors"], ["sums"]),
        node("Div", ["sums", "n_members"], ["means"]),
        node("Transpose", ["means"], ["means_transposed"]),
        node("MatMul", ["means", "means_transposed"], ["likeness"]),
        node("Softmax", ["likeness"], ["document_attention"], axis=1),
        node("MatMul", ["document_attention", "means"], ["context"]),
        node("Add", ["means", "context"], ["states"]),
        node("MatMul", ["states", "scorer"], ["logits"]),
        node("Sigmoid", ["logits"], ["scores"]),
        node("Unsqueeze", ["token_ids", "axis_1"], ["token_column"]),
        node("Equal", ["token_column", "token_ids"], ["is_match"]),
        node("Cast", ["is_match"], ["match"], to=float_type),
        node("MatMul", ["member", "match"], ["matches_of_sentence"]),
        node("Transpose", ["member"], ["member_transposed"]),
        node("MatMul", ["matches_of_sentence", "member_transposed"], ["matches"]),
        node("ReduceSum", ["matches", "axis_1"], ["n_matches"], keepdims=1),
        node("Div", ["matches", "n_matches"], ["matching_attention"]),
        node("MatMul", ["means", "pattern_scorer"], ["pattern_logits"]),
        node("Softmax", ["pattern_logits"], ["pattern_shares"], axis=1),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "tiny",
        [info(name, TensorProto.INT64, ["tokens"]) for name in ("token_ids", "sentence_ids")],
        [
            info("scores", float_type, ["sentences"]),
            info("document_attention", float_type, ["sentences", "sentences"]),
            info("matching_attention", float_type, ["sentences", "sentences"]),
            info("pattern_shares", float_type, ["sentences", len(PATTERN_NAMES)]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    explain_on_demand(model)
    return model


def write_tiny_bundle(folder):
    """Write a bundle that `service.inference.bundle.Bundle` accepts."""
    tokenizer = tiny_tokenizer()
    model = tiny_graph(tokenizer.get_vocab_size())
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(folder / "model.onnx"))
    tokenizer.save(str(folder / "tokenizer.json"))
    punkt = PunktParameters()
    punkt.abbrev_types = {"dr", "mr", "mrs", "u.s"}
    write_punkt(punkt, folder / "punkt.json")
    (folder / "README.md").write_text("# A tiny bundle for tests\n", encoding="utf-8")
    settings = EncoderSettings(max_tokens=MAX_TOKENS, max_sentence_tokens=MAX_SENTENCE_TOKENS)
    encoder = TextEncoder(tokenizer, SentenceSplitter(punkt), settings)
    write_manifest(folder, tiny_manifest(encoder.fingerprint()))


def tiny_manifest(fingerprint):
    """A manifest whose `files` are still to be filled in."""
    rouge = {"rouge1": 40.0, "rouge2": 17.0, "rougeL": 36.0}
    return {
        "format": 2,
        "name": "patsum-tiny",
        "created": "2026-01-31",
        "languages": ["en"],
        "license": "Apache-2.0",
        "files": {},
        "encoder": {
            "max_tokens": MAX_TOKENS,
            "max_sentence_tokens": MAX_SENTENCE_TOKENS,
            "max_sentences": 512,
        },
        "fingerprint": fingerprint,
        "model": {
            "layers": 1,
            "width": WIDTH,
            "heads": 4,
            "document_layers": 1,
            "unmatched": "self",
            "fixed": ["previous_token", "next_token"],
            "is_last_for_cls": False,
            "patterns": [[*PATTERN_NAMES[:3], None]],
            "pattern_names": list(PATTERN_NAMES),
            "weights": "float32",
            "opset": 18,
            "plan_reason": "to test with",
            "placements": [PLACEMENT],
        },
        "quality": [{"data": "none", "n": 2, "command": "none", **rouge, "lead3": rouge}],
        "faithfulness": {
            "comprehensiveness": 0.25,
            "sufficiency": 0.125,
            "leaveOneOutKendallTau": 0.5,
            "n": 2,
        },
        "default_length": None,
        "training": {"recipe": "none"},
    }


def write_default_length(folder, **weights):
    """Let a tiny bundle choose between two, three and four sentences; weights left out are 0."""
    fields = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    no_gain = {name: [0.0, 0.0, 0.0] for name in ("rouge1", "rouge2", "rougeL")}
    fields["default_length"] = {
        "weights": dict.fromkeys(FEATURES, 0.0) | weights,
        "data": "none",
        "n": 2,
        "command": "none",
        "gain": no_gain,
    }
    write_manifest(folder, fields)


def write_manifest(folder, manifest):
    """Write a manifest with the true sizes and hashes of the folder's other files."""
    names = ("model.onnx", "tokenizer.json", "punkt.json")
    contents = {name: (folder / name).read_bytes() for name in names}
    files = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in contents.items()
    }
    text = json.dumps({**manifest, "files": files}, indent=2)
    (folder / "manifest.json").write_text(text, encoding="utf-8")
