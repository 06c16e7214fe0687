"""The yardstick: a public encoder's own ONNX graph, dynamic int8, on an article's first 512 tokens.

It makes no summary. It says what the inference alone of such an encoder costs in the same runtime.
"""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

MAX_TOKENS = 512
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def export_int8(encoder: Path, folder: Path) -> Path:
    """Turn a BERT-like encoder into an int8 graph, as onnxruntime's documentation does it.

    Args:
        encoder: folder of the model.
        folder: where the graphs are written.

    Returns:
        The path of the int8 graph.
    """
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModel

    model = AutoModel.from_pretrained(str(encoder), attn_implementation="eager").eval()
    model.config.return_dict = False
    example = torch.ones((1, 16), dtype=torch.int64)
    graph, rounded = folder / "encoder.onnx", folder / "encoder-int8.onnx"
    with warnings.catch_warnings(), torch.no_grad():
        # The tracer warns of its age, and of Python values that it takes as constants.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (example,) * len(INPUTS),
            str(graph),
            input_names=list(INPUTS),
            output_names=["last_hidden_state", "pooled"],
            dynamic_axes={name: {0: "batch", 1: "tokens"} for name in INPUTS},
            opset_version=18,
            dynamo=False,
        )
    quantize_dynamic(
        graph, rounded, op_types_to_quantize=["MatMul"], per_channel=True,
        weight_type=QuantType.QInt8,
    )  # fmt: skip
    return rounded


def open_encoder(graph: Path, tokenizer: Path, threads: int) -> Callable[[str], list[str]]:
    """Make a function that runs the graph on a text, and gives no sentence.

    Args:
        graph: with the inputs of a BERT-like model.
        tokenizer: its tokenizer.json.
        threads: that share one run.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    names = {tensor.name for tensor in session.get_inputs()}
    words = Tokenizer.from_file(str(tokenizer))
    words.no_padding()
    words.enable_truncation(MAX_TOKENS)

    def run(text: str) -> list[str]:
        ids = np.array([words.encode(text).ids], dtype=np.int64)
        arrays = (ids, np.ones_like(ids), np.zeros_like(ids))
        inputs = dict(zip(INPUTS, arrays, strict=True))
        session.run(None, {name: inputs[name] for name in names})
        return []

    return run
