"""The engine: one encoded document in, its sentence scores and sentence-level attention out.

One document a run, at its exact length and without padding: nothing else is in the arrays, so that
no batch-mate can move a document's scores, and on one processor a batch saves next to nothing.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from service.errors import BundleError, InputError, ShapeError
from service.inference.bundle import Bundle
from service.inference.stop import StopSignal
from service.text.encode import Encoded

FloatArray = npt.NDArray[np.float32]

_INPUTS = {"token_ids": ("tensor(int64)", 1), "sentence_ids": ("tensor(int64)", 1)}
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
        BundleError: the graph cannot be loaded, or has other inputs or outputs.
        InputError: threads is below 1.
    """

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        if threads < 1:
            raise InputError(f"expected threads >= 1, got {threads}; give the CPU limit")
        self._model_path = bundle.model_path
        self._n_patterns = len(bundle.manifest.model.pattern_names)
        self._session = _open_session(bundle.model_path, threads)
        _check_tensors(bundle.model_path, "input", self._session.get_inputs(), _INPUTS)
        _check_tensors(bundle.model_path, "output", self._session.get_outputs(), _OUTPUTS)

    def run(self, encoded: Encoded, stop: StopSignal | None = None) -> EngineOutput:
        """Score the sentences of one document.

        Args:
            encoded: with at least one encoded sentence.
            stop: ends the run early when another thread sets it; None for a run to the end.

        Returns:
            Scores and attention of the first `encoded.n_encoded` sentences; the same bits for the
            same document, whatever else runs.

        Raises:
            ShapeError: no sentence is encoded.
            StoppedError: the signal was set.
            BundleError: the graph gives arrays of another shape, or scores outside [0, 1].
        """
        if encoded.n_encoded == 0:
            raise ShapeError("expected at least 1 encoded sentence, got 0; encode a longer text")
        output = EngineOutput(*self._run_session(encoded, stop))
        self._check_output(output, encoded.n_encoded)
        return output

    def _run_session(self, encoded: Encoded, stop: StopSignal | None) -> list[FloatArray]:
        inputs = {"token_ids": encoded.token_ids, "sentence_ids": encoded.sentence_ids}
        if stop is None:
            return list(self._session.run(list(_OUTPUTS), inputs))
        stop.check()
        try:
            return list(self._session.run(list(_OUTPUTS), inputs, stop.run_options))
        except Fail:
            stop.check()  # onnxruntime has no error type of its own for a run that was ended
            raise

    def _check_output(self, output: EngineOutput, n_sentences: int) -> None:
        square = (n_sentences, n_sentences)
        shapes = [(n_sentences,), square, square, (n_sentences, self._n_patterns)]
        for field, expected in zip(fields(output), shapes, strict=True):
            array = getattr(output, field.name)
            if array.shape != expected:
                raise BundleError(
                    f"expected {field.name} {expected} from {self._model_path}, "
                    f"got {array.shape}; export the bundle again"
                )
            if not np.isfinite(array).all():
                raise BundleError(
                    f"expected finite {field.name} from {self._model_path}, got infinite ones or "
                    "NaN; export the bundle again"
                )
        if output.scores.min() < 0 or output.scores.max() > 1:
            raise BundleError(
                f"expected scores in [0, 1] from {self._model_path}, got "
                f"[{output.scores.min()}, {output.scores.max()}]; export the bundle again"
            )


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
