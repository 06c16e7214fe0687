"""Runs a job on a Ray cluster, with Ray Data.

One task on the node where the command runs reads the input and streams its chunks, as fast as they
are taken; actors on any node, each with its own copy of the model, turn them into parts; the
command writes those down. So only this node needs the input and the output.
"""

import logging
import os
import pickle
import secrets
from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from typing import Any

import pyarrow as pa
import ray
import ray.data
from ray.data.block import BlockMetadata
from ray.data.datasource import Datasource, ReadTask

from service.bulk.chunk import Part
from service.bulk.chunk_summarizer import ChunkSummarizer
from service.bulk.formats import open_rows
from service.bulk.job import Job
from service.errors import BatchError, PatsumError

LOCAL = "local"
_PAYLOAD = "payload"
_ONE_CHUNK_A_BLOCK_BYTES = 1
"""Ray Data fills blocks up to a size; with this one, every chunk is a block of its own."""


class RayRunner:
    """Summarizes the chunks of a job on a Ray cluster.

    Args:
        job: what is asked.
        model_version: that every node must have.
        address: of the cluster, as `ray.init` takes it; "local" starts one on this machine.
        n_workers: most actors, a CPU each; None for as many as the cluster has CPUs.

    Raises:
        BatchError: the cluster cannot be reached.
    """

    def __init__(
        self, job: Job, model_version: str, address: str, n_workers: int | None = None
    ) -> None:
        if address.startswith("ray://"):
            raise BatchError(
                f"expected the address of a cluster that this machine belongs to, got {address}; "
                "run the command on a node of the cluster, for example with --ray auto"
            )
        self._job = job
        self._model_version = model_version
        self._n_workers = n_workers
        _connect(address, n_workers)

    def run(self, skip: Collection[int]) -> Generator[Part, None, None]:
        """Give the part of each chunk but those to skip, as they are done.

        Raises:
            PatsumError: what a worker met, or what Ray did.
        """
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.target_max_block_size = _ONE_CHUNK_A_BLOCK_BYTES
        n_workers = self._n_workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        this_node = ray.get_runtime_context().get_node_id()
        parts = ray.data.read_datasource(
            _ChunkSource(self._job, frozenset(skip)),
            override_num_blocks=1,
            num_cpus=0,  # else it could take the only CPU from those that it feeds
            label_selector={"ray.io/node-id": this_node},
        ).map_batches(
            _ChunkWorker,
            fn_constructor_args=(self._job, self._model_version),
            batch_size=1,
            batch_format="pyarrow",
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=n_workers),
        )
        try:
            for batch in parts.iter_batches(batch_size=None, batch_format="pyarrow"):
                for payload in batch[_PAYLOAD].to_pylist():
                    yield pickle.loads(payload)
        except ray.exceptions.RayError as error:
            raise _translate(error) from error

    def close(self) -> None:
        """Leave the cluster; end it if it was started here."""
        ray.shutdown()


class _ChunkSource(Datasource):  # type: ignore[misc]  # mypy does not look into ray
    """The chunks of a job as blocks of one row, read in one task."""

    def __init__(self, job: Job, skip: frozenset[int]) -> None:
        super().__init__()
        self._job = job
        self._skip = skip

    def estimate_inmemory_data_size(self) -> int | None:
        return None

    def get_read_tasks(self, parallelism: int, *args: Any, **kwargs: Any) -> list[ReadTask]:
        job, skip = self._job, self._skip

        def read() -> Iterator[pa.Table]:
            rows = open_rows(job.source, job.input_form, job.max_row_bytes, job.columns, job.keep)
            with closing(rows):
                for chunk in rows.cut(job.chunk_rows, skip):
                    yield _pack(chunk)

        return [ReadTask(read, BlockMetadata(None, None, None, None))]


class _ChunkWorker:
    """A ChunkSummarizer in an actor."""

    def __init__(self, job: Job, model_version: str) -> None:
        self._summarizer = ChunkSummarizer(job)
        if self._summarizer.model_version != model_version:
            raise BatchError(
                f"expected the model {model_version} on every node, "
                f"got {self._summarizer.model_version}; copy the bundle to the same path everywhere"
            )

    def __call__(self, batch: pa.Table) -> pa.Table:
        (payload,) = batch[_PAYLOAD].to_pylist()
        return _pack(self._summarizer.summarize(pickle.loads(payload)))


def _pack(content: object) -> pa.Table:
    return pa.table({_PAYLOAD: pa.array([pickle.dumps(content)], pa.large_binary())})


def _connect(address: str, n_workers: int | None) -> None:
    # Nothing is sent to anyone but the cluster.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what it raises, we say
    try:
        if address == LOCAL:
            # A token for this run alone; else Ray would leave one in the user's home.
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
            ray.init("local", num_cpus=n_workers, include_dashboard=False, **options)
        else:
            ray.init(address, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise BatchError(
            f"expected a Ray cluster at {address}, got {error}; start one with "
            "`ray start --head`, set RAY_AUTH_MODE=token if it wants one, or give --ray local"
        ) from error


def _translate(error: BaseException) -> PatsumError:
    """Give back our own error that a worker met, or say what Ray met."""
    cause = error
    while not isinstance(cause, PatsumError):
        deeper = getattr(cause, "cause", None) or cause.__cause__
        if deeper is None:
            break
        cause = deeper
    if isinstance(cause, PatsumError):
        return cause
    if isinstance(cause, ModuleNotFoundError):
        return BatchError(
            f"expected patsum on every node of the cluster, got: {cause}; install it there with "
            "`pip install -c constraints.txt -e '.[ray]'`, the same version as here"
        )
    lines = str(cause).splitlines() or [""]
    return BatchError(
        f"expected the Ray cluster to finish, got {type(cause).__name__}: {lines[0]}; "
        "run the same command again: it goes on from here"
    )
