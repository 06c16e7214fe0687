"""What the Open Inference Protocol takes and answers: metadata, tensors, errors.

Source:
    The Open Inference Protocol (v2) of KServe, REST form, with its binary tensor extension.
"""

from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)
from pydantic_core import PydanticCustomError

from service.api.schemas import Count, Ratio
from service.inference.summarizer import LongInput
from service.text.select import Order, Redundancy

PADDING_SCORE = -1.0
"""Fills the rows of `scores` that are shorter than the longest; no real score is below 0."""

OutputName = Literal["summary", "scores"]
NumberOfBytes = Annotated[StrictInt, Field(ge=0)]


class _Model(BaseModel):
    # model_name and model_version are the protocol's names, not pydantic's.
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class OpenInferenceError(_Model):
    """A refusal on a path of this protocol."""

    error: str = Field(description="What was expected, what came, what to do.")


class ServerMetadata(_Model):
    """The server."""

    name: str
    version: str
    extensions: list[str]


class ServerLive(_Model):
    """The process answers."""

    live: Literal[True]


class ServerReady(_Model):
    """The model can answer; a server that is not ready answers 503."""

    ready: Literal[True]


class ModelReady(_Model):
    """This model can answer; one that is not ready answers 503."""

    name: str
    ready: Literal[True]


class TensorMetadata(_Model):
    """A tensor that the model takes or gives."""

    name: str
    datatype: str
    shape: list[int] = Field(description="-1 where the size varies.")


class ModelMetadata(_Model):
    """The model and its tensors."""

    name: str
    versions: list[str] = Field(description="The one version that is loaded.")
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class InputParameters(_Model):
    """Where the data of an input stand."""

    binary_data_size: NumberOfBytes | None = Field(
        None, description="Bytes of this tensor after the JSON; without it, `data` holds them."
    )


class InputTensor(_Model):
    """The documents."""

    name: Literal["text"]
    shape: Annotated[list[Count], Field(min_length=1, max_length=1)] = Field(
        description="The number of documents."
    )
    datatype: Literal["BYTES"]
    parameters: InputParameters = InputParameters()
    data: Annotated[list[StrictStr], Field(min_length=1, fail_fast=True)] | None = Field(
        None, description="One text a document; absent when the data are binary."
    )


class OutputParameters(_Model):
    """How an output is answered."""

    binary_data: StrictBool | None = Field(
        None, description="After the JSON instead of inside; else `binary_data_output` decides."
    )


class RequestedOutput(_Model):
    """A wanted output."""

    name: OutputName
    parameters: OutputParameters = OutputParameters()


class InferParameters(_Model):
    """How to summarize: the fields of `/v1/summarize` that fit into two tensors."""

    sentence_count: Count | None = Field(
        None, description="Sentences to choose; by default as many as `/info` says."
    )
    ratio: Ratio | None = Field(None, description="Share of the sentences to choose; in (0, 1].")
    max_characters: Count | None = Field(None, description="Most code points of the summary.")
    sort_by: Order = Field(Order.OFFSET, description="As in the document, or best first.")
    long_input: LongInput = Field(LongInput.FULL, description="What to do about a long text.")
    redundancy: Redundancy = Field(Redundancy.TRIGRAM, description="Whether to skip repetition.")
    language: Annotated[StrictStr, Field(max_length=35)] | None = Field(
        None, description="BCP 47 tag of all documents; refused if the model lacks it."
    )
    binary_data_output: StrictBool = Field(
        False, description="Answer outputs that do not say otherwise as binary data."
    )

    @model_validator(mode="after")
    def _check_length_rules(self) -> Self:
        rules = ("sentence_count", "ratio", "max_characters")
        given = [name for name in rules if getattr(self, name) is not None]
        if len(given) > 1:
            raise PydanticCustomError(
                "length_rules",
                "expected at most one of sentence_count, ratio, max_characters, got {got}; "
                "keep one",
                {"got": " and ".join(given), "location": (given[1],)},
            )
        return self


class InferRequest(_Model):
    """What to summarize, and how."""

    id: Annotated[StrictStr, Field(max_length=128)] | None = Field(
        None, description="Returned with the answer."
    )
    parameters: InferParameters = InferParameters()
    inputs: Annotated[list[InputTensor], Field(min_length=1, max_length=1, fail_fast=True)]
    outputs: Annotated[list[RequestedOutput], Field(max_length=2, fail_fast=True)] = Field(
        [], description="The wanted outputs; both without it."
    )


class BinarySize(_Model):
    """Where the data of an output stand."""

    binary_data_size: NumberOfBytes


class OutputTensor(_Model):
    """An answer for all documents."""

    name: OutputName
    datatype: Literal["BYTES", "FP32"]
    shape: list[NumberOfBytes]
    parameters: BinarySize | None = None
    data: list[str] | list[float] | None = Field(
        None, description="Row by row; absent when the data are binary."
    )


class InferResponse(_Model):
    """The summaries, and the scores of their sentences."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]
