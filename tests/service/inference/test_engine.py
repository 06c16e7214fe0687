"""Facts about running the graph."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from service.errors import BundleError, InputError, ShapeError
from service.inference.bundle import Bundle, embedded_bundle_path
from service.inference.engine import Engine
from tests.tiny_bundle import tiny_model_in_numpy, write_manifest

TEXT = (
    "The ferry left the harbour before the storm. The mayor said that the council had a report. "
    "No train was on time. The storm came in the night, and the water was over the road."
)


@pytest.fixture(scope="module")
def bundle(tiny_bundle):
    return Bundle(tiny_bundle)


@pytest.fixture(scope="module")
def engine(bundle):
    return Engine(bundle)


def output_bytes(output):
    return b"".join(array.tobytes() for array in vars(output).values())


def change_graph(folder, change):
    """Change the copy's graph, and make its manifest agree with the new bytes."""
    model = onnx.load(str(folder / "model.onnx"))
    change(model.graph)
    onnx.save(model, str(folder / "model.onnx"))
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    write_manifest(folder, manifest)


def change_constant(name, values):
    """A graph change that gives one constant other values."""

    def change(graph):
        for constant in graph.initializer:
            if constant.name == name:
                constant.CopyFrom(numpy_helper.from_array(values, name))

    return change


def test_output_agrees_with_numpy(bundle, engine):
    encoded = bundle.encoder.encode(TEXT)
    output = engine.run(encoded)
    expected = tiny_model_in_numpy(encoded.token_ids, encoded.sentence_ids)
    for array, oracle in zip(vars(output).values(), expected, strict=True):
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, oracle, rtol=1e-5, atol=1e-6)


def test_scores_alone_are_the_bytes_of_those_with_attention(bundle, engine):
    encoded = bundle.encoder.encode(TEXT)
    assert engine.score(encoded).tobytes() == engine.run(encoded).scores.tobytes()


def test_same_document_gives_same_bytes_a_hundred_times(bundle, engine):
    encoded = bundle.encoder.encode(TEXT)
    assert len({output_bytes(engine.run(encoded)) for _ in range(100)}) == 1


def test_concurrent_documents_get_the_bytes_they_get_alone(bundle, engine):
    documents = [bundle.encoder.encode(f"{TEXT} Report {i} is out.") for i in range(20)]
    alone = [output_bytes(engine.run(document)) for document in documents]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda d: output_bytes(engine.run(d)), documents * 10))
    assert together == alone * 10


@pytest.mark.skipif(
    not (embedded_bundle_path() / "manifest.json").exists(),
    reason="no embedded bundle: the tiny graph is too small for two threads to share its work",
)
def test_two_threads_give_the_bytes_of_one():
    bundle = Bundle(embedded_bundle_path())
    encoded = bundle.encoder.encode(" ".join(f"{TEXT} Report {i} is out." for i in range(10)))
    assert len(encoded.token_ids) >= 500
    two = Engine(bundle, threads=2).run(encoded)
    assert output_bytes(two) == output_bytes(Engine(bundle).run(encoded))


@pytest.mark.parametrize("ask", [Engine.score, Engine.run])
def test_a_document_without_sentences_is_refused(bundle, engine, ask):
    with pytest.raises(ShapeError, match="expected at least 1 encoded sentence, got 0"):
        ask(engine, bundle.encoder.encode("  "))


def test_no_threads_are_refused(bundle):
    with pytest.raises(InputError, match="expected threads >= 1, got 0"):
        Engine(bundle, threads=0)


def test_graph_without_an_output_is_refused(tiny_bundle_copy):
    change_graph(tiny_bundle_copy, lambda graph: graph.output.pop())
    with pytest.raises(BundleError, match=r"expected outputs .*pattern_shares.* got "):
        Engine(Bundle(tiny_bundle_copy))


def test_graph_with_a_batch_dimension_is_refused(tiny_bundle_copy):
    def add_batch(graph):
        batched = helper.make_tensor_value_info("token_ids", TensorProto.INT64, ["batch", "tokens"])
        graph.input[0].CopyFrom(batched)
        for node in graph.node:  # the rest of the graph still sees one row
            node.input[:] = ["row" if name == "token_ids" else name for name in node.input]
        graph.initializer.append(numpy_helper.from_array(np.array([0]), "axis_0"))
        graph.node.insert(0, helper.make_node("Squeeze", ["token_ids", "axis_0"], ["row"]))

    change_graph(tiny_bundle_copy, add_batch)
    with pytest.raises(BundleError, match=r"expected inputs .* got .*'token_ids': .*2\)"):
        Engine(Bundle(tiny_bundle_copy))


def test_file_that_is_no_graph_is_refused(tiny_bundle_copy):
    (tiny_bundle_copy / "model.onnx").write_bytes(b"no graph")
    manifest = json.loads((tiny_bundle_copy / "manifest.json").read_text(encoding="utf-8"))
    write_manifest(tiny_bundle_copy, manifest)
    with pytest.raises(BundleError, match=r"expected an ONNX graph in .*model\.onnx"):
        Engine(Bundle(tiny_bundle_copy))


def test_graph_with_other_patterns_than_the_manifest_is_refused(tiny_bundle_copy):
    manifest = json.loads((tiny_bundle_copy / "manifest.json").read_text(encoding="utf-8"))
    manifest["model"]["pattern_names"].pop()
    write_manifest(tiny_bundle_copy, manifest)
    with pytest.raises(BundleError, match=r"expected 3 columns of pattern_shares in .*, got 4"):
        Engine(Bundle(tiny_bundle_copy))


@pytest.mark.parametrize("ask", [Engine.score, Engine.run])
def test_graph_that_gives_nan_is_refused(tiny_bundle_copy, ask):
    change_graph(tiny_bundle_copy, change_constant("scorer", np.full(8, np.nan, dtype=np.float32)))
    bundle = Bundle(tiny_bundle_copy)
    with pytest.raises(BundleError, match="expected finite scores"):
        ask(Engine(bundle), bundle.encoder.encode(TEXT))


@pytest.mark.parametrize("ask", [Engine.score, Engine.run])
def test_graph_that_scores_outside_0_to_1_is_refused(tiny_bundle_copy, ask):
    def drop_sigmoid(graph):
        for node in graph.node:
            if node.op_type == "Sigmoid":
                node.op_type = "Cosh"  # at least 1

    change_graph(tiny_bundle_copy, drop_sigmoid)
    bundle = Bundle(tiny_bundle_copy)
    with pytest.raises(BundleError, match=r"expected scores in \[0, 1\]"):
        ask(Engine(bundle), bundle.encoder.encode(TEXT))
