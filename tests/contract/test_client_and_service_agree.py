"""The client knows every field and option of the REST API by the service's own name."""

import pytest

from service.api import info, schemas
from service.client import Document, SummaryOptions, results

PAIRS = [
    (results.Sentence, schemas.SentenceResult),
    (results.Statistics, schemas.StatisticsResult),
    (results.SummaryWarning, schemas.WarningResult),
    (results.Evidence, schemas.EvidenceResult),
    (results.PatternShare, schemas.PatternResult),
    (results.Reason, schemas.ReasonResult),
    (results.Explanation, schemas.ExplanationResult),
    (results.DocumentSummary, schemas.DocumentResult),
]


@pytest.mark.parametrize(("of_client", "of_service"), PAIRS)
def test_client_reads_every_field_of_an_answer(of_client, of_service):
    of_the_whole_answer = {"model_version"} - set(of_service.model_fields)
    assert set(of_client.model_fields) - of_the_whole_answer == set(of_service.model_fields)


def test_client_reads_the_names_of_errors():
    names = set(schemas.ErrorDetail.model_fields) | set(schemas.DocumentError.model_fields)
    assert set(results.DocumentFailure.model_fields) < names


@pytest.mark.parametrize(
    ("of_client", "of_service"),
    [
        (results.ModelInfo, info.ModelInfo),
        (results.Limits, info.Limits),
        (results.ServiceInfo, info.ServiceInfo),
    ],
)
def test_what_the_client_reads_of_info_is_there(of_client, of_service):
    assert set(of_client.model_fields) <= set(of_service.model_fields)


def test_client_offers_every_option():
    fields = set(schemas.SummarizeRequest.model_fields)
    not_offered = {"documents", "text", "string_index_type"}  # offsets are code points in Python
    assert set(SummaryOptions.__annotations__) - {"top_k"} == fields - not_offered
    assert set(Document.__dataclass_fields__) == set(schemas.InputDocument.model_fields)
