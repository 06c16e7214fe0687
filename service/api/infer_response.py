"""The answer of an inference: from summaries to tensors, inside the JSON or behind it."""

from collections.abc import Sequence
from itertools import chain

from starlette.responses import Response

from service.api.open_inference_schemas import (
    PADDING_SCORE,
    BinarySize,
    InferRequest,
    InferResponse,
    OutputName,
    OutputTensor,
)
from service.api.problems import AsciiJsonResponse
from service.api.schemas import DocumentResult
from service.api.tensor_bytes import HEADER_LENGTH, OCTETS, write_numbers, write_texts


def to_infer_response(
    asked: InferRequest, documents: Sequence[DocumentResult], model_name: str, model_version: str
) -> Response:
    """Turn summaries into tensors, inside the JSON or behind it, as asked.

    Args:
        asked: the request.
        documents: one for each of its texts, in their order.
        model_name: of the answer.
        model_version: of the answer.
    """
    tensors: dict[OutputName, tuple[OutputTensor, bytes]] = {
        "summary": _summary_tensor(documents),
        "scores": _scores_tensor(documents),
    }
    wishes = {output.name: output.parameters.binary_data for output in asked.outputs}
    outputs, binary = [], b""
    for name in wishes or tensors:
        tensor, data = tensors[name]
        wish = wishes.get(name)
        if asked.parameters.binary_data_output if wish is None else wish:
            size = BinarySize(binary_data_size=len(data))
            tensor = tensor.model_copy(update={"data": None, "parameters": size})
            binary += data
        outputs.append(tensor)
    answer = InferResponse(
        model_name=model_name, model_version=model_version, id=asked.id, outputs=outputs
    )
    response = AsciiJsonResponse(answer.model_dump(exclude_none=True))
    if not any(output.parameters for output in outputs):
        return response
    headers = {HEADER_LENGTH: str(len(response.body))}
    return Response(bytes(response.body) + binary, headers=headers, media_type=OCTETS)


def _summary_tensor(documents: Sequence[DocumentResult]) -> tuple[OutputTensor, bytes]:
    """Make the tensor `summary`, and its bytes: (documents,) BYTES."""
    texts = [document.summary for document in documents]
    tensor = OutputTensor(name="summary", datatype="BYTES", shape=[len(texts)], data=texts)
    return tensor, write_texts(texts)


def _scores_tensor(documents: Sequence[DocumentResult]) -> tuple[OutputTensor, bytes]:
    """Make the tensor `scores`, and its bytes: (documents, longest) FP32, padded with -1."""
    rows = [[sentence.rank_score for sentence in document.sentences] for document in documents]
    longest = max(map(len, rows))
    padded = [row + [PADDING_SCORE] * (longest - len(row)) for row in rows]
    scores = list(chain.from_iterable(padded))
    tensor = OutputTensor(name="scores", datatype="FP32", shape=[len(rows), longest], data=scores)
    return tensor, write_numbers(scores)
