"""Runs a job on this machine: one process that reads and writes, and several that summarize.

Processes and not threads: onnxruntime lets other threads run while it works, but splitting
sentences and choosing them is Python, and would hold all threads up on a machine with many CPUs.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Collection, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for_connection

from service.bulk.chunk import Chunk, Part
from service.bulk.chunk_summarizer import ChunkSummarizer
from service.bulk.formats import RowInput
from service.bulk.job import Job
from service.errors import BatchError

_CHUNKS_A_WORKER = 2
"""One that is worked on, and one that waits, so that no worker does."""


class LocalRunner:
    """Summarizes the chunks of a job in worker processes; with one worker, in this process.

    Args:
        job: what is asked.
        rows: its input, open.
        n_workers: at least 1.
        is_ordered: give parts in the order of their chunks, instead of as they are done.
    """

    def __init__(self, job: Job, rows: RowInput, n_workers: int, is_ordered: bool = False) -> None:
        self._job = job
        self._rows = rows
        self._n_workers = n_workers
        self._is_ordered = is_ordered

    def run(self, skip: Collection[int]) -> Generator[Part, None, None]:
        """Give the part of each chunk but those to skip.

        Raises:
            BatchError: a worker died.
            PatsumError: the input cannot be read, or the bundle cannot be used.
        """
        chunks = self._rows.cut(self._job.chunk_rows, skip)
        if self._n_workers == 1:
            yield from map(ChunkSummarizer(self._job).summarize, chunks)
            return
        pool = ProcessPoolExecutor(
            self._n_workers,
            # A forked process would inherit locks that other threads hold.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(self._job,),
        )
        try:
            yield from self._run_in(pool, chunks)
        except BrokenProcessPool as error:
            raise BatchError(
                "expected the workers to live, got one that died, perhaps for want of memory; "
                "run the same command again, perhaps with fewer --workers: it goes on from here"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)

    def _run_in(self, pool: ProcessPoolExecutor, chunks: Iterator[Chunk]) -> Iterator[Part]:
        pending: list[Future[Part]] = []
        for chunk in chunks:
            pending.append(pool.submit(_summarize_in_worker, chunk))
            if len(pending) >= _CHUNKS_A_WORKER * self._n_workers:
                yield from self._take_done(pending)
        while pending:
            yield from self._take_done(pending)

    def _take_done(self, pending: list[Future[Part]]) -> Iterator[Part]:
        """Wait until something is done, take it out of the list, and give it."""
        waited = pending[:1] if self._is_ordered else pending
        for future in wait(waited, return_when=FIRST_COMPLETED).done:
            pending.remove(future)
            yield future.result()


_worker: ChunkSummarizer | None = None  # one a process: a pool offers no other place to keep it


def _start_worker(job: Job) -> None:
    global _worker  # noqa: PLW0603  # see above
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that reads ends us
    threading.Thread(target=_follow_parent, daemon=True).start()
    _worker = ChunkSummarizer(job)


def _follow_parent() -> None:
    """End this process when its parent is gone: killed, it could not tell us to."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"
    wait_for_connection([parent.sentinel])
    os._exit(1)


def _summarize_in_worker(chunk: Chunk) -> Part:
    assert _worker is not None, "the pool starts each worker before it works"
    return _worker.summarize(chunk)
