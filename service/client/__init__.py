"""The Python client of the REST API, sync and async; needs the extra `client`, and no server part.

    from service.client import Client
    with Client("http://127.0.0.1:8000") as client:
        print(client.summarize(text, sentence_count=2).summary)

Raises:
    MissingHttpxError: on import, when httpx is not installed.
"""

from service.client.errors import (
    AnswerError,
    BusyError,
    ClientError,
    DeadlineError,
    MissingHttpxError,
    Problem,
    RefusedError,
    UnreachableError,
)

try:
    import httpx as _httpx  # noqa: F401  # asked for here, to say in words that it is missing
except ModuleNotFoundError as error:
    if error.name != "httpx":
        raise
    raise MissingHttpxError from error

from service.client.async_client import AsyncClient
from service.client.attempts import RetryPolicy
from service.client.body import Document, SummaryOptions
from service.client.client import Client
from service.client.results import DocumentFailure, DocumentSummary, ServiceInfo

__all__ = [
    "AnswerError",
    "AsyncClient",
    "BusyError",
    "Client",
    "ClientError",
    "DeadlineError",
    "Document",
    "DocumentFailure",
    "DocumentSummary",
    "MissingHttpxError",
    "Problem",
    "RefusedError",
    "RetryPolicy",
    "ServiceInfo",
    "SummaryOptions",
    "UnreachableError",
]
