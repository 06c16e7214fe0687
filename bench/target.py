"""The target: what answers the requests, in this process or behind a URL."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Protocol

from bench.conditions import TargetFacts
from bench.outcome import OK, Answer
from bench.versions import find_versions
from service.api.info import PACKAGES, read_cpu
from service.errors import InputError
from service.inference.bundle import Bundle, embedded_bundle_path
from service.inference.manifest import MODEL_FILE
from service.inference.summarizer import Summarizer
from service.text.select import LengthRule

N_SENTENCES = 3
UNPROCESSABLE = 422


class Target(Protocol):
    """Answers one document at a time; many calls may be open at once."""

    facts: TargetFacts

    async def summarize(self, text: str) -> Answer:
        """Summarize a text into three sentences; a failure is an answer too."""
        ...

    async def close(self) -> None:
        """Give back what the target holds."""
        ...


class InProcess:
    """The summarizer in this process, on a bounded number of threads, without HTTP.

    A document waits for a free thread for as long as it takes: there is no admission here.

    Args:
        bundle: folder of the bundle; the embedded one without.
        threads: that share one document, at least 1.
        workers: documents at a time, at least 1.

    Attributes:
        facts: what answers.
        summarizer: the whole way from text to summary.

    Raises:
        BundleError: the bundle cannot be used.
    """

    def __init__(self, bundle: Path | None, threads: int, workers: int) -> None:
        self.summarizer = Summarizer(bundle, threads)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="patsum-bench")
        self._rule = LengthRule(sentence_count=N_SENTENCES)
        self.facts = describe_bundle(self.summarizer.bundle, threads, workers)

    async def summarize(self, text: str) -> Answer:
        """Summarize a text when a thread is free; that wait is the stage "queue"."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._summarize, text, perf_counter())

    async def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _summarize(self, text: str, submitted_s: float) -> Answer:
        queue_s = perf_counter() - submitted_s
        try:
            stages = self.summarizer.summarize(text, rule=self._rule).stages
        except InputError as error:
            return Answer(UNPROCESSABLE, detail=str(error))
        return Answer(OK, {"queue": queue_s, "encode": stages.encode_s, "infer": stages.infer_s})


def describe_bundle(bundle: Bundle, threads: int, workers: int) -> TargetFacts:
    """Describe a bundle that runs in this process."""
    cpu = read_cpu()
    is_embedded = bundle.path == embedded_bundle_path()
    return TargetFacts(
        kind="in process",
        where="the embedded bundle" if is_embedded else bundle.path.name,
        model=bundle.version,
        sha256=bundle.manifest.files[MODEL_FILE].sha256,
        weights=bundle.manifest.model.weights,
        threads=threads,
        workers=workers,
        versions=find_versions(PACKAGES),
        cpu=cpu.model,
        flags=cpu.features,
    )
