"""A running service behind a URL, asked over HTTP as a client would."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import httpx

from bench.conditions import TargetFacts
from bench.outcome import OK, Answer
from bench.target import N_SENTENCES
from service.errors import TargetError

UNAUTHORIZED = 401
_METRIC = re.compile(r"\s*([A-Za-z0-9_-]+)\s*;\s*dur=([0-9.eE+-]+)\s*")
_MAX_CONNECTIONS = 900  # below the usual limit of 1,024 open files


class Url:
    """A service behind a URL; made by `connect`, which knows that it answers.

    Args:
        client: with the base URL and the key.
        facts: what answers.

    Attributes:
        facts: what answers.
    """

    def __init__(self, client: httpx.AsyncClient, facts: TargetFacts) -> None:
        self._client = client
        self.facts = facts

    async def summarize(self, text: str) -> Answer:
        """Send one document; a timeout or a broken connection is an answer with status 0."""
        # With \u escapes, unlike httpx's own JSON, so that a lone surrogate goes through.
        content = json.dumps({"text": text, "sentenceCount": N_SENTENCES}).encode()
        try:
            response = await self._client.post("/v1/summarize", content=content)
        except httpx.TimeoutException:
            return Answer(0, detail="timeout")
        except httpx.HTTPError as error:
            return Answer(0, detail=type(error).__name__)
        stages = parse_server_timing(response.headers.get("Server-Timing", ""))
        detail = "" if response.status_code == OK else _problem(response)
        return Answer(response.status_code, stages, detail)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def connect(url: str, api_key: str | None, timeout_s: float) -> Url:
    """Find out whether a service answers, and what it is.

    Args:
        url: such as http://127.0.0.1:8000.
        api_key: sent as a bearer token.
        timeout_s: of a request, in seconds.

    Raises:
        TargetError: nothing answers there, it is not ready, it wants a key, it is another kind of
            service, or the URL holds a password.
    """
    if "@" in url:
        raise TargetError(
            "expected a URL without a user or a password, which would end up in the report; "
            "give a key with --api-key or PATSUM_API_KEY"
        )
    headers = {"Content-Type": "application/json"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    limits = httpx.Limits(max_connections=_MAX_CONNECTIONS, max_keepalive_connections=None)
    try:
        client = httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout_s, limits=limits)
        response = await client.get("/info")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise TargetError(
            f"expected a service at {url}, got {type(error).__name__}: {error}; start one with "
            "`patsum serve`, or mend --url"
        ) from error
    if response.status_code == UNAUTHORIZED:
        await client.aclose()
        got = "it refused the one given" if api_key else "none was given"
        raise TargetError(
            f"expected a key for {url}, {got}; give the right one with --api-key or PATSUM_API_KEY"
        )
    try:
        if response.status_code != OK:
            raise ValueError(f"status {response.status_code} {_problem(response)}".strip())
        facts = _read_facts(url, response.json())
    except (ValueError, KeyError, TypeError) as error:
        await client.aclose()
        raise TargetError(
            f"expected a ready patsum at {url}/info, got {error}; wait until /readyz answers 200, "
            "or mend --url"
        ) from error
    return Url(client, facts)


def parse_server_timing(header: str) -> dict[str, float]:
    """Read the stages of a Server-Timing header.

    Args:
        header: such as "queue;dur=1.2, infer;dur=21.0", in milliseconds; parts of another form are
            passed over.

    Returns:
        Stage -> seconds.
    """
    found = {}
    for part in header.split(","):
        match = _METRIC.fullmatch(part)
        if match:
            try:
                seconds = float(match.group(2)) / 1e3
            except ValueError:
                continue
            if math.isfinite(seconds):
                found[match.group(1)] = seconds
    return found


def _problem(response: httpx.Response) -> str:
    """The kind of a problem document, such as "too-busy"; its detail may quote a text."""
    try:
        kind = response.json()["type"]
    except (ValueError, KeyError, TypeError):
        return ""
    return str(kind).rpartition(":")[2]


def _read_facts(url: str, info: Mapping[str, Any]) -> TargetFacts:
    return TargetFacts(
        kind="url",
        where=url,
        model=info["model"]["version"],
        sha256=info["model"]["sha256"],
        weights=info["model"]["weights"],
        threads=info["limits"]["threads"],
        workers=info["limits"]["workers"],
        versions=info["versions"],
        cpu=info["cpu"]["model"],
        flags=info["cpu"]["features"],
    )
