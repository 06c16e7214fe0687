"""The synchronous client: calls that wait for their answer."""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal, Self, Unpack

import httpx

from service.client.answer import check_status, name_transport_errors, read_info, read_object
from service.client.attempts import TRANSIENT, Attempts, RetryPolicy
from service.client.body import Document, SummaryOptions
from service.client.connection import (
    Call,
    Connection,
    many_call,
    only_item,
    read_only_summary,
    summarize_call,
)
from service.client.delivery import NARROWED, Delivery, DocumentOutcome
from service.client.errors import ClientError
from service.client.parcel import plan_requests
from service.client.results import DocumentFailure, DocumentSummary, ServiceInfo


class Client:
    """Calls a patsum service; safe to use from several threads.

    A call is repeated after 429, 502, 503 and a lost connection, until its time is up: the service
    keeps nothing of a request, so a second one changes nothing. Offsets count code points, and
    every sentence that comes back is checked against the text that was sent.

    Args:
        base_url: of the service.
        api_key: sent as bearer token; None for a service without one.
        timeout_s: seconds for a call, all its attempts and pauses together. The service is told
            (Request-Timeout) and stops working then.
        retry: how long to wait between attempts.
        clock: seconds that never run backwards.
        sleep: waits for some seconds.
        draw: a random number in [0, 1).

    Raises:
        InputError: base_url has no http:// or https://, or a header cannot carry the key.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        retry: RetryPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._connection = Connection(base_url, api_key, timeout_s, retry, clock, draw)
        self._sleep = sleep
        self._http = httpx.Client(base_url=base_url, headers=self._connection.headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def summarize(
        self,
        text: str,
        *,
        language: str | None = None,
        timeout_s: float | None = None,
        request_id: str | None = None,
        **options: Unpack[SummaryOptions],
    ) -> DocumentSummary:
        """Summarize one text.

        Args:
            text: any Unicode text.
            language: BCP 47 tag such as "en"; refused if the model lacks it.
            timeout_s: seconds for this call; None for those of the client.
            request_id: by which the service's log shall know the call; 1 to 128 of A-Z a-z 0-9
                . _ : / + = @ -
            options: how to summarize; see SummaryOptions.

        Raises:
            ClientError: there is no summary; the class says why.
            InputError: an option or the request id cannot be sent.
        """
        return self._summarize("/v1/summarize", text, language, timeout_s, request_id, options)

    def explain(
        self,
        text: str,
        method: Literal["attention", "occlusion"] = "attention",
        *,
        language: str | None = None,
        timeout_s: float | None = None,
        request_id: str | None = None,
        **options: Unpack[SummaryOptions],
    ) -> DocumentSummary:
        """Summarize one text and say why; see `summarize`.

        Args:
            text: any Unicode text.
            method: attention is free; occlusion runs the model once a sentence.
            language: as in `summarize`.
            timeout_s: as in `summarize`.
            request_id: as in `summarize`.
            options: as in `summarize`.
        """
        options = {"explain": method, **options}
        return self._summarize("/v1/explain", text, language, timeout_s, request_id, options)

    def summarize_many(
        self,
        documents: Iterable[Document | str],
        *,
        timeout_s: float | None = None,
        **options: Unpack[SummaryOptions],
    ) -> Iterator[DocumentOutcome]:
        """Summarize many documents, in requests as large as the service takes, one after the other.

        Args:
            documents: documents or texts; taken as they are needed.
            timeout_s: most seconds without a new outcome; None for those of the client.
            options: of all documents.

        Yields:
            For each document, in order and as soon as it has come, its summary or its failure.

        Raises:
            ClientError: nothing more will come; the class says why.
            InputError: an option cannot be sent, or documents is a single text.
        """
        limits = self.info(timeout_s=timeout_s).limits
        for part in plan_requests(documents, limits, options):
            if isinstance(part, DocumentFailure):
                yield part
            else:
                attempts = self._connection.start(timeout_s)
                yield from self._deliver(Delivery(part, options), attempts)

    def info(self, *, timeout_s: float | None = None) -> ServiceInfo:
        """Ask what runs there.

        Raises:
            ClientError: there is no answer; the class says why.
        """
        return read_info(self._call(Call("GET", "/info"), self._connection.start(timeout_s)))

    def ready(self, *, timeout_s: float | None = None) -> bool:
        """Ask, once, whether the service can take work."""
        try:
            with self._open(Call("GET", "/readyz"), self._connection.start(timeout_s)) as response:
                return response.status_code == 200
        except ClientError:
            return False

    def _summarize(
        self,
        path: str,
        text: str,
        language: str | None,
        timeout_s: float | None,
        request_id: str | None,
        options: SummaryOptions,
    ) -> DocumentSummary:
        item = only_item(text, language)
        call = summarize_call(path, item, options, request_id)
        return read_only_summary(item, self._call(call, self._connection.start(timeout_s)))

    def _call(self, call: Call, attempts: Attempts) -> dict[str, Any]:
        while True:
            try:
                with self._open(call, attempts) as response:
                    content = b"".join(self._chunks(response, attempts))
                check_status(response.status_code, response.headers, content)
                return read_object(content)
            except TRANSIENT as error:
                self._sleep(attempts.pause_after(error))

    def _deliver(self, delivery: Delivery, attempts: Attempts) -> Iterator[DocumentOutcome]:
        while not delivery.is_done:
            try:
                with self._open(many_call(delivery.body()), attempts) as response:
                    reader = delivery.read(response)
                    for chunk in self._chunks(response, attempts):
                        for outcome in reader.feed(chunk):
                            yield outcome
                            attempts.restart()
                yield from reader.end()
                attempts.restart()
            except TRANSIENT as error:
                self._sleep(attempts.pause_after(error))
            except NARROWED as error:
                for failure in delivery.narrow(error):
                    yield failure
                    attempts.restart()

    @contextmanager
    def _open(self, call: Call, attempts: Attempts) -> Iterator[httpx.Response]:
        arguments = call.to_httpx(attempts.remaining_s())
        with name_transport_errors(), self._http.stream(**arguments) as response:
            yield response

    def _chunks(self, response: httpx.Response, attempts: Attempts) -> Iterator[bytes]:
        for chunk in response.iter_bytes():
            yield chunk
            attempts.remaining_s()
