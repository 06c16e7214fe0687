"""A student as a float32 ONNX file: masks built inside the graph, every size free.

Two back ends make the same graph: `optimum` with a custom OnnxConfig, and plain `torch.onnx`. The
attention of each layer can be cut out of the file again and examined.
"""

import warnings
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor

from export.explain_on_demand import remove_explanations
from export.explained_model import COPIES, OUTPUT_NAMES, SENTENCES, ExplainedModel
from export.windows import read_at_once
from training.model.extractive_model import ExtractiveModel

OPSET = 18
INPUT_AXES: Mapping[str, dict[int, str]] = {
    "token_ids": {0: "tokens"},
    "sentence_ids": {0: "tokens"},
}
_OUTPUT_AXES: Mapping[str, dict[int, str]] = {
    "scores": {0: "sentences"},
    "document_attention": {0: "sentences", 1: "sentences"},
    "matching_attention": {0: "sentences", 1: "sentences"},
    "pattern_shares": {0: "sentences"},
}


class Backend(StrEnum):
    """What traces the graph."""

    OPTIMUM = "optimum"
    TORCH = "torch"


def export_onnx(
    model: ExtractiveModel, path: Path, backend: Backend = Backend.OPTIMUM
) -> onnx.ModelProto:
    """Write a model as float32 ONNX.

    The graph takes token_ids and sentence_ids, (tokens,) int64, and returns scores,
    document_attention, matching_attention and pattern_shares. Its values `layerN.input` and
    `layerN.heads` are each layer's input and gathered heads; `reopen_layer` makes a graph of what
    lies between them.

    Args:
        model: the student.
        path: file to write.
        backend: what traces the graph.

    Returns:
        The graph that was written.
    """
    explained = ExplainedModel(model, has_taps=True).eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), torch.no_grad():
        # The tracer warns of Python values that it takes as constants; ours are numbers of heads,
        # widths, and the number of documents, of which the graph takes one.
        warnings.simplefilter("ignore")
        _BACKENDS[backend](explained, path)
    graph = onnx.load(path)
    _close_taps(graph)
    onnx.checker.check_model(graph)
    onnx.save(graph, path)
    return graph


def reopen_layer(graph: onnx.ModelProto, layer: int) -> onnx.ModelProto:
    """Cut out one layer's attention: from the layer's input to what its heads gathered.

    Args:
        graph: of `export_onnx`, `quantize` or a bundle.
        layer: from 0.

    Returns:
        A graph with the inputs token_ids, sentence_ids and `layerN.input` (1, tokens, width), and
        the output `layerN.heads` (1, tokens, heads * head width), heads in the order in which they
        are computed.
    """
    cut = onnx.ModelProto()
    cut.CopyFrom(graph)
    remove_explanations(cut)
    read_at_once(cut)
    source, target = (
        onnx.helper.make_tensor_value_info(
            f"layer{layer}.{what}", onnx.TensorProto.FLOAT, [1, "tokens", size]
        )
        for what, size in (("input", "width"), ("heads", "heads_width"))
    )
    for node in cut.graph.node:
        for place, name in enumerate(node.output):
            if name == source.name:
                node.output[place] = f"{name}.before_cut"
    cut.graph.input.append(source)
    del cut.graph.output[:]
    cut.graph.output.append(target)
    return cut


def _export_with_optimum(explained: ExplainedModel, path: Path) -> None:
    """Trace through optimum, which knows our model by the config below."""
    from optimum.exporters.onnx import export
    from optimum.exporters.onnx.config import TextEncoderOnnxConfig
    from optimum.utils import NormalizedTextConfig
    from transformers import BertConfig

    class ExtractiveOnnxConfig(TextEncoderOnnxConfig):  # type: ignore[misc]  # optimum is untyped
        """Inputs, outputs and example inputs of one document."""

        NORMALIZED_CONFIG_CLASS = NormalizedTextConfig

        @property
        def inputs(self) -> dict[str, dict[int, str]]:
            return dict(INPUT_AXES)

        @property
        def outputs(self) -> dict[str, dict[int, str]]:
            return _output_axes(explained)

        def generate_dummy_inputs(self, framework: str = "pt", **_: Any) -> dict[str, Tensor]:
            assert framework == "pt"
            return _example_inputs(explained)

    config = BertConfig(  # type: ignore[no-untyped-call]
        vocab_size=explained.model.config.vocabulary
    )
    explained.config = config  # type: ignore[assignment]  # optimum reads and writes model.config
    export(
        explained, ExtractiveOnnxConfig(config), path, opset=OPSET, disable_dynamic_axes_fix=True
    )


def _export_with_torch(explained: ExplainedModel, path: Path) -> None:
    """Trace with torch's own exporter."""
    example = _example_inputs(explained)
    torch.onnx.export(
        explained,
        tuple(example.values()),
        str(path),
        input_names=list(example),
        output_names=list(explained.output_names()),
        dynamic_axes={**INPUT_AXES, **_output_axes(explained)},
        opset_version=OPSET,
        dynamo=False,
    )


_BACKENDS: Mapping[Backend, Callable[[ExplainedModel, Path], None]] = {
    Backend.OPTIMUM: _export_with_optimum,
    Backend.TORCH: _export_with_torch,
}


def _output_axes(explained: ExplainedModel) -> dict[str, dict[int, str]]:
    taps = explained.output_names()[len(OUTPUT_NAMES) :]
    by_sentence = {name: {0: "sentences"} for name in taps if name.startswith(SENTENCES)}
    by_token = {name: {1: "tokens"} for name in taps if name not in by_sentence}
    if COPIES in by_sentence:
        by_sentence[COPIES] = {}  # a single row
    return {**_OUTPUT_AXES, **by_token, **by_sentence}


def _example_inputs(explained: ExplainedModel) -> dict[str, Tensor]:
    """Three sentences of unlike length, so that no size is mistaken for another."""
    lengths = torch.tensor([5, 9, 3])
    ids = torch.arange(int(lengths.sum())) % min(7, explained.model.config.vocabulary)
    return {
        "token_ids": ids,
        "sentence_ids": torch.repeat_interleave(torch.arange(3), lengths),
    }


def _close_taps(graph: onnx.ModelProto) -> None:
    """Take the taps off the outputs; their values keep their names."""
    kept = [output for output in graph.graph.output if output.name in OUTPUT_NAMES]
    del graph.graph.output[:]
    graph.graph.output.extend(kept)
