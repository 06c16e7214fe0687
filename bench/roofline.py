"""How much of what the processor can do does the engine get out of it?

    python -m bench.roofline --encoder all-MiniLM-L6-v2

Multiply-adds are counted from the graph, run once with the arrays of its products in view. The peak
is the rate of one large integer product in the same runtime, on as many threads. The share of the
peak is the time that the integer products would take at that rate, over the time of the whole run.
With an encoder, its own dynamic int8 graph takes turns with the engine on 512 tokens.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NamedTuple

import click
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from bench.command_line import run_command
from bench.encoder_graph import INPUTS, export_int8
from bench.engine_time import N_WARM_UP, encode_exactly
from bench.statistics import quantile
from service.errors import InputError
from service.inference.bundle import Bundle, embedded_bundle_path
from service.inference.engine import Engine, graph_inputs
from service.text.encode import Encoded

_PEAK_SHAPE = (2_048, 1_024, 1_024)
_FIRST_WORD = 1_000
"""A token id that every BERT vocabulary has; which one does not change the time."""


class Work(NamedTuple):
    """Multiply-adds of one run.

    Attributes:
        in_int8: in products that are rounded.
        in_float: in all others.
    """

    in_int8: int
    in_float: int


def count_work(graph: onnx.ModelProto, encoded: Encoded) -> Work:
    """Count the multiply-adds of a graph on one document.

    Args:
        graph: of a bundle; of its conditions the branch counts that a document of a few sentences
            takes which nobody wants explained.
        encoded: the document.

    Returns:
        The work of its Gemm and MatMul nodes; sums, gathers and layer norms count nothing.
    """
    open_graph = onnx.ModelProto()
    open_graph.CopyFrom(graph)
    nodes = _take_else_branches(open_graph.graph.node, open_graph.graph)
    del open_graph.graph.node[:]
    open_graph.graph.node.extend(nodes)
    products = [node for node in nodes if node.op_type in {"Gemm", "MatMul"}]
    constants = {item.name for item in open_graph.graph.initializer}
    names = sorted({node.output[0] for node in products})
    names += sorted({node.input[0] for node in products} - constants - set(names))
    del open_graph.graph.output[:]
    open_graph.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = _open(open_graph.SerializeToString(), 1)
    inputs = graph_inputs(encoded, explain=False)
    shapes = {
        name: array.shape for name, array in zip(names, session.run(names, inputs), strict=True)
    }
    shapes |= {item.name: tuple(item.dims) for item in open_graph.graph.initializer}
    rounded = {node.output[0] for node in nodes if node.op_type == "DequantizeLinear"}
    counts = {True: 0, False: 0}
    for node in products:
        read = shapes[node.input[0]]
        counts[node.input[1] in rounded] += int(np.prod(shapes[node.output[0]])) * int(read[-1])
    return Work(in_int8=counts[True], in_float=counts[False])


def _take_else_branches(
    nodes: Iterable[onnx.NodeProto], graph: onnx.GraphProto
) -> list[onnx.NodeProto]:
    """The nodes that run where every condition is false; their constants are added to the graph."""
    taken = []
    for node in nodes:
        if node.op_type != "If":
            taken.append(node)
            continue
        branch = next(item.g for item in node.attribute if item.name == "else_branch")
        graph.initializer.extend(branch.initializer)
        taken += _take_else_branches(branch.node, graph)
        for inner, outer in zip(branch.output, node.output, strict=True):
            taken.append(helper.make_node("Identity", [inner.name], [outer]))
    return taken


def measure_peak(threads: int, n_runs: int) -> float:
    """Multiply-adds a second of one large u8 x s8 product, the best of some runs."""
    rows, inner, columns = _PEAK_SHAPE
    generator = np.random.default_rng(0)
    weight = generator.integers(-63, 64, (inner, columns)).astype(np.int8)
    node = helper.make_node("MatMulInteger", ["a", "w"], ["y"])
    graph = helper.make_graph(
        [node],
        "peak",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [rows, inner])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, [rows, columns])],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    session = _open(model.SerializeToString(), threads)
    a = generator.integers(0, 256, (rows, inner)).astype(np.uint8)
    seconds = [_time(lambda: session.run(None, {"a": a})) for _ in range(N_WARM_UP + n_runs)]
    return rows * inner * columns / min(seconds)


def read_lengths(text: str) -> tuple[int, ...]:
    """Read lengths such as 512,2048.

    Raises:
        click.BadParameter: not whole numbers from 3, joined by commas.
    """
    try:
        lengths = tuple(int(part) for part in text.split(","))
    except ValueError:
        lengths = ()
    if not lengths or min(lengths) < 3:
        raise click.BadParameter(f"expected whole numbers from 3 such as 512,2048, got {text!r}")
    return lengths


@click.command(epilog="Example: python -m bench.roofline --encoder all-MiniLM-L6-v2 --tokens 512")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Bundle folder; the embedded one when not given.",
)
@click.option("--encoder", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="BERT-like encoder to compare with, at 512 tokens.")  # fmt: skip
@click.option(
    "--tokens",
    default="512,2048,8192",
    show_default=True,
    callback=lambda _context, _option, value: read_lengths(value),
    help="Lengths of documents, each at least 3.",
)
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--runs", type=click.IntRange(min=3), default=30, show_default=True)
def roofline(
    bundle: Path | None, encoder: Path | None, tokens: tuple[int, ...], threads: int, runs: int
) -> None:
    """Measure the share of the int8 peak that the engine reaches, and its time a token."""
    opened = Bundle(bundle or embedded_bundle_path())
    most = opened.encoder.settings.max_tokens
    if max(tokens) > most:
        raise InputError(f"expected lengths up to {most}, which the model reads, got {max(tokens)}")
    graph = onnx.load(opened.model_path)
    engine = Engine(opened, threads)
    peak = measure_peak(threads, runs)
    click.echo(f"{opened.version}, {threads} threads; int8 peak {peak / 1e9:.0f} G multiply-adds/s")
    click.echo("tokens   ms (median)   µs a token   G int8   G float   share of the peak")
    for n_tokens in tokens:
        document = encode_exactly(opened, n_tokens, seed=0)
        work = count_work(graph, document)
        seconds = _median_s(lambda document=document: engine.score(document), runs)  # type: ignore[misc]
        click.echo(
            f"{n_tokens:<8} {1e3 * seconds:<13.2f} {1e6 * seconds / n_tokens:<12.1f} "
            f"{work.in_int8 / 1e9:<8.2f} {work.in_float / 1e9:<9.2f} "
            f"{work.in_int8 / peak / seconds:.0%}"
        )
    if encoder is not None:
        _compare(opened, engine, encoder, threads, runs)


def _compare(bundle: Bundle, engine: Engine, encoder: Path, threads: int, runs: int) -> None:
    """Time engine and encoder in turns, each on 512 tokens."""
    document = encode_exactly(bundle, 512, seed=0)
    with TemporaryDirectory() as folder:
        session = _open(str(export_int8(encoder, Path(folder))), threads)
    ids = np.full((1, 512), _FIRST_WORD, dtype=np.int64)
    arrays = dict(zip(INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True))
    inputs = {tensor.name: arrays[tensor.name] for tensor in session.get_inputs()}
    ours, theirs = [], []
    for run in range(N_WARM_UP + runs):
        pair = _time(lambda: engine.score(document)), _time(lambda: session.run(None, inputs))
        if run >= N_WARM_UP:
            ours.append(pair[0])
            theirs.append(pair[1])
    medians = [quantile(sorted(seconds), 0.5).estimate for seconds in (ours, theirs)]
    click.echo(
        f"512 tokens in turns: engine {1e3 * medians[0]:.2f} ms, {encoder.name} in dynamic int8 "
        f"{1e3 * medians[1]:.2f} ms: {medians[1] / medians[0]:.1f} times as long"
    )


def _median_s(run: Callable[[], object], runs: int) -> float:
    seconds = [_time(run) for _ in range(N_WARM_UP + runs)][N_WARM_UP:]
    return quantile(sorted(seconds), 0.5).estimate


def _time(run: Callable[[], object]) -> float:
    started_s = perf_counter()
    run()
    return perf_counter() - started_s


def _open(graph: str | bytes, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.use_deterministic_compute = True  # as in the engine
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    run_command(roofline, "python -m bench.roofline")
