"""Load from outside: requests sent on a schedule, whatever the answers do (an open loop).

The sender shares the machine with the service, so it must be lean: a full HTTP client takes 4 ms of
processor time a request, and at some hundreds a second measures nothing but itself.
"""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter
from urllib.parse import urlsplit

from tests.server_process import make_text

GIVE_UP_S = 60


def quantile(values, share):
    """The smallest value that a share of the values does not exceed."""
    return sorted(values)[int(share * (len(values) - 1))]


@dataclass
class Outcome:
    """What a schedule of requests came to; seconds count from the planned time of a request.

    Attributes:
        statuses: how often each status came; "failed" for a connection that broke.
        sent_after_s: of all requests, until they were sent: how late the sender is.
        latencies_s: of the answers with status 200.
        refused_after_s: of those with 429.
        retry_after: every value of that header that came with a 429.
    """

    statuses: Counter = field(default_factory=Counter)
    sent_after_s: list = field(default_factory=list)
    latencies_s: list = field(default_factory=list)
    refused_after_s: list = field(default_factory=list)
    retry_after: set = field(default_factory=set)


class Connection:
    """A kept connection that carries one request at a time.

    Args:
        reader: of the connection.
        writer: of the connection.
    """

    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer
        self._is_kept = True

    @classmethod
    async def open(cls, url):
        parts = urlsplit(url)
        return cls(*await asyncio.open_connection(parts.hostname, parts.port))

    @property
    def is_usable(self):
        return self._is_kept and not self._reader.at_eof()

    def send(self, path, body):
        """Send a request; what the system does not take at once follows by itself."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)

    async def receive(self):
        """Receive an answer: status, headers by their names in lower case, body."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status_line, *lines = head.rstrip().split("\r\n")
        headers = {name.lower(): value for name, value in (x.split(": ", 1) for x in lines)}
        body = await self._reader.readexactly(int(headers["content-length"]))
        self._is_kept = headers.get("connection") != "close"
        return int(status_line.split()[1]), headers, body

    def close(self):
        self._writer.close()


async def send_at_rate(url, rate_per_s, seconds, n_sentences, until=None):
    """Send requests of their own texts at a steady rate.

    Args:
        url: of the service.
        rate_per_s: requests a second.
        seconds: how long.
        n_sentences: length of each text.
        until: an asyncio.Event; once set, nothing more is sent.
    """
    outcome = Outcome()
    idle = []
    began = perf_counter()

    async def ask(number, planned):
        connection = idle.pop() if idle else None
        if connection is None or not connection.is_usable:
            connection = await Connection.open(url)
        body = json.dumps({"text": make_text(number, n_sentences)}).encode()
        connection.send("/v1/summarize", body)
        outcome.sent_after_s.append(perf_counter() - planned)
        answer = await connection.receive()
        if connection.is_usable:
            idle.append(connection)
        else:
            connection.close()
        return answer

    async def send(number):
        planned = began + number / rate_per_s
        try:
            async with asyncio.timeout(GIVE_UP_S):
                status, headers, body = await ask(number, planned)
        except (OSError, EOFError, TimeoutError) as error:
            outcome.statuses[f"failed: {type(error).__name__}"] += 1
            return
        outcome.statuses[status] += 1
        took_s = perf_counter() - planned
        if status == 200:
            outcome.latencies_s.append(took_s)
            assert f"Port {number} " in json.loads(body)["documents"][0]["summary"]
        elif status == 429:
            outcome.refused_after_s.append(took_s)
            outcome.retry_after.add(headers["retry-after"])

    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate_per_s * seconds)):
            if until is not None and until.is_set():
                break
            await asyncio.sleep(max(0.0, began + number / rate_per_s - perf_counter()))
            tasks.create_task(send(number))
    for connection in idle:
        connection.close()
    return outcome
