"""The engine: one encoded document in, its sentence scores out, and attention between sentences.

One document a run, at its exact length and without padding: nothing else is in the arrays, so that
no batch-mate can move a document's scores, and on one processor a batch saves next to nothing.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from service.errors import BundleError, InputError, ShapeError
from service.inference.bundle import Bundle
from service.inference.stop import StopSignal
from service.text.encode import Encoded

FloatArray = npt.NDArray[np.float32]

_INPUTS = {
    "token_ids": ("tensor(int64)", 1),
    "sentence_ids": ("tensor(int64)", 1),
    "explain": ("tensor(bool)", 0),
}
_OUTPUTS = {
    "scores": ("tensor(float)", 1),
    "document_attention": ("tensor(float)", 2),
    "matching_attention": ("tensor(float)", 2),
    "pattern_shares": ("tensor(float)", 2),
}


@dataclass(frozen=True, eq=False)
class EngineOutput:
    """What the model says about one document.

    Attributes:
        scores: (sentences,) float32 in [0, 1], higher is more important.
        document_attention: (sentences, sentences) float32; row i is where sentence i looked among
            the sentences, mean over the heads of the document layers; rows sum to 1.
        matching_attention: (sentences, sentences) float32; [i, j] is the share of the
            `matching_token` heads' attention that went from tokens of i to tokens of j; rows sum
            to 1.
        pattern_shares: (sentences, patterns) float32; row i is the share of each pattern's heads
            in what was written into sentence i's [CLS]; rows sum to 1.
    """

    scores: FloatArray
    document_attention: FloatArray
    matching_attention: FloatArray
    pattern_shares: FloatArray


class Engine:
    """An onnxruntime session over a bundle's graph; safe to use from several threads.

    Args:
        bundle: verified; its graph is loaded here.
        threads: threads that share the work of one run; at least 1.

    Raises:
        BundleError: the graph cannot be loaded, has other inputs or outputs, or other patterns than
            the manifest says.
        InputError: threads is below 1.
    """

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        if threads < 1:
            raise InputError(f"expected threads >= 1, got {threads}; give the CPU limit")
        self._model_path = bundle.model_path
        self._n_patterns = len(bundle.manifest.model.pattern_names)
        self._session = _open_session(bundle.model_path, threads)
        _check_tensors(bundle.model_path, "input", self._session.get_inputs(), _INPUTS)
        outputs = self._session.get_outputs()
        _check_tensors(bundle.model_path, "output", outputs, _OUTPUTS)
        # Not only where somebody asks for reasons; a size that the graph leaves free is a name.
        n_patterns = next(o.shape[1] for o in outputs if o.name == "pattern_shares")
        if isinstance(n_patterns, int) and n_patterns != self._n_patterns:
            raise BundleError(
                f"expected {self._n_patterns} columns of pattern_shares in {bundle.model_path}, as "
                f"the manifest has pattern_names, got {n_patterns}; export the bundle again"
            )

    def score(self, encoded: Encoded, stop: StopSignal | None = None) -> FloatArray:
        """Score the sentences of one document.

        Args:
            encoded: with at least one encoded sentence.
            stop: ends the run early when another thread sets it; None for a run to the end.

        Returns:
            (sentences,) float32 in [0, 1], of the first `encoded.n_encoded` sentences; the same
            bits for the same document, whatever else runs.

        Raises:
            ShapeError: no sentence is encoded.
            StoppedError: the signal was set.
            BundleError: the graph gives arrays of another shape, or scores outside [0, 1].
        """
        (scores,) = self._run_graph(["scores"], encoded, stop, explain=False)
        self._check_array("scores", scores, (encoded.n_encoded,))
        self._check_scores(scores)
        return scores

    def run(self, encoded: Encoded, stop: StopSignal | None = None) -> EngineOutput:
        """Score the sentences of one document, and tell where they looked.

        Args:
            encoded: as for `score`.
            stop: likewise.

        Returns:
            The same bits of the scores as `score` gives, and the attention.

        Raises:
            ShapeError: likewise.
            StoppedError: likewise.
            BundleError: likewise.
        """
        output = EngineOutput(*self._run_graph(list(_OUTPUTS), encoded, stop, explain=True))
        square = (encoded.n_encoded, encoded.n_encoded)
        shares = (encoded.n_encoded, self._n_patterns)
        shapes = [(encoded.n_encoded,), square, square, shares]
        for field, shape in zip(fields(output), shapes, strict=True):
            self._check_array(field.name, getattr(output, field.name), shape)
        self._check_scores(output.scores)
        return output

    def _run_graph(
        self, names: list[str], encoded: Encoded, stop: StopSignal | None, *, explain: bool
    ) -> list[FloatArray]:
        if encoded.n_encoded == 0:
            raise ShapeError("expected at least 1 encoded sentence, got 0; encode a longer text")
        inputs = graph_inputs(encoded, explain=explain)
        if stop is None:
            return list(self._session.run(names, inputs))
        stop.check()
        try:
            return list(self._session.run(names, inputs, stop.run_options))
        except Fail:
            stop.check()  # onnxruntime has no error type of its own for a run that was ended
            raise

    def _check_array(self, name: str, array: FloatArray, shape: tuple[int, ...]) -> None:
        if array.shape != shape:
            raise BundleError(
                f"expected {name} {shape} from {self._model_path}, got {array.shape}; "
                "export the bundle again"
            )
        if not np.isfinite(array).all():
            raise BundleError(
                f"expected finite {name} from {self._model_path}, got infinite ones or NaN; "
                "export the bundle again"
            )

    def _check_scores(self, scores: FloatArray) -> None:
        if scores.min() < 0 or scores.max() > 1:
            raise BundleError(
                f"expected scores in [0, 1] from {self._model_path}, got "
                f"[{scores.min()}, {scores.max()}]; export the bundle again"
            )


def graph_inputs(encoded: Encoded, *, explain: bool) -> dict[str, npt.NDArray[Any]]:
    """What the graph of a bundle reads of one document.

    Args:
        encoded: the document.
        explain: whether it shall compute its outputs beside the scores.

    Returns:
        Arrays by the names of its inputs.
    """
    return {
        "token_ids": encoded.token_ids,
        "sentence_ids": encoded.sentence_ids,
        "explain": np.array(explain),
    }


def _open_session(path: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.use_deterministic_compute = True
    options.enable_mem_pattern = False  # it would keep one plan for each length ever seen
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no other root
        raise BundleError(
            f"expected an ONNX graph in {path}, got {error}; export the bundle again"
        ) from error


def _check_tensors(
    path: Path, kind: str, found: list[ort.NodeArg], expected: dict[str, tuple[str, int]]
) -> None:
    got = {tensor.name: (tensor.type, len(tensor.shape)) for tensor in found}
    if got != expected:
        raise BundleError(
            f"expected {kind}s (type, rank) {expected} of {path}, got {got}; "
            "export the bundle with this version of patsum"
        )
