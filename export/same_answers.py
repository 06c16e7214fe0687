"""Does a graph still answer the same once it is packed?

Validation articles are too short to tell: they are read at once.
"""

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from export.explain_on_demand import EXPLAIN
from export.explained_model import OUTPUT_NAMES
from export.windows import MOST_AT_ONCE
from service.errors import ExportError

# One window more or less may round a number to the next step of int8; seen: 1e-4.
_MOST_APART = 0.02
_LONGEST = 9


def refuse_other_answers(before: onnx.ModelProto, after: onnx.ModelProto, vocabulary: int) -> None:
    """Raise if a packed graph answers otherwise, to short documents and to some of windows.

    Args:
        before: of `to_onnx.export_onnx` or `quantize.quantize`.
        after: the same with explanations on demand, and reading in windows.
        vocabulary: token ids that there are.

    Raises:
        ExportError: outputs differ by more than a step of int8 may move them.
    """
    sessions = [
        onnxruntime.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"])
        for m in (before, after)
    ]
    for n_sentences in (1, MOST_AT_ONCE, MOST_AT_ONCE + 1, 3 * MOST_AT_ONCE):
        document = _draw_document(n_sentences, vocabulary)
        expected = sessions[0].run(list(OUTPUT_NAMES), document)
        found = sessions[1].run(list(OUTPUT_NAMES), {**document, EXPLAIN: np.array(True)})
        for name, ours, theirs in zip(OUTPUT_NAMES, found, expected, strict=True):
            if not np.allclose(ours, theirs, rtol=0, atol=_MOST_APART):
                raise ExportError(
                    f"expected the same {name} of {n_sentences} sentences once the graph is "
                    f"packed, got ones {np.abs(ours - theirs).max():.3f} apart; "
                    "this is a mistake of ours, please report it"
                )


def _draw_document(n_sentences: int, vocabulary: int) -> dict[str, npt.NDArray[np.int64]]:
    """Sentences of one to some tokens, which begin with the same and hold many twice."""
    generator = np.random.default_rng(n_sentences)
    lengths = generator.integers(1, _LONGEST + 1, n_sentences)
    sentence_ids = np.repeat(np.arange(n_sentences), lengths)
    token_ids = generator.integers(1, min(vocabulary, 2 * n_sentences + 2), len(sentence_ids))
    token_ids[np.searchsorted(sentence_ids, np.arange(n_sentences))] = 0
    return {"token_ids": token_ids, "sentence_ids": sentence_ids}
