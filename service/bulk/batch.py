"""A bulk run from its input to its output: what is done is kept, and the output appears whole."""

import os
from collections.abc import Callable, Collection, Generator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from service.bulk.chunk import MOST_SHOWN_FAILURES, Failure, Part
from service.bulk.file_form import hash_file, unreadable
from service.bulk.formats import make_output
from service.bulk.job import Job
from service.bulk.journal import Journal, check_free, work_folder
from service.errors import BatchError
from service.text_file import STANDARD_STREAM


class Runner(Protocol):
    """Turns the chunks of a job into parts, somewhere."""

    def run(self, skip: Collection[int]) -> Generator[Part, None, None]:
        """Give the part of each chunk but those to skip."""


MakeRunner = Callable[[], AbstractContextManager[Runner]]

Report = Callable[[int, int, int], None]
"""Is told how far in the input a part ended, and how many rows are done and failed by now."""


@dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Attributes:
        n_rows: rows of the output, failed ones too.
        n_failed: rows without a summary.
        failures: the first few of those.
    """

    n_rows: int
    n_failed: int
    failures: list[Failure]


def run_to_file(
    job: Job,
    out: Path,
    model_version: str,
    make_runner: MakeRunner,
    max_errors: int | None,
    report: Report,
) -> RunResult:
    """Run a job, or what is left of it, and put its output in place.

    Whatever is raised, what is done is kept.

    Args:
        job: what is asked.
        out: where the answers go; nothing is there yet.
        model_version: of the job's bundle.
        make_runner: makes what does the work, if some is left.
        max_errors: most rows that may fail; None for any number.
        report: is told of each part.

    Raises:
        BatchError: the output exists, the input changed, too many rows failed, and the like.
        BundleError: the model cannot be used, or does not answer as a model should.
        DataError: the input cannot be read to its end.
        MissingExtraError: the job needs Parquet, and there is no pyarrow.
    """
    input_state = None if job.source == STANDARD_STREAM else _InputState(job.source)
    if not work_folder(out).exists():
        check_free(out)
    journal = Journal(out, job.identity(input_state.sha256 if input_state else None, model_version))
    try:
        is_published = journal.is_published
        if not is_published:
            check_free(out)
        if journal.is_resumed and input_state is None:
            raise BatchError(
                f"expected no unfinished output at {out}, got one that the standard input began, "
                "which cannot be read twice; give --restart to start over"
            )
        _check_errors(max_errors, journal.n_failed, journal.failures(1))
        if not journal.is_complete:
            with make_runner() as runner, closing(runner.run(journal.done)) as parts:
                for part in parts:
                    journal.add(part)
                    report(part.position, journal.n_rows, journal.n_failed)
                    _check_errors(max_errors, journal.n_failed, journal.failures(1))
        if not is_published:
            if input_state is not None:
                input_state.check_unchanged()
            journal.publish(make_output(job))
        failures = journal.failures(MOST_SHOWN_FAILURES)
        result = RunResult(journal.n_rows, journal.n_failed, failures)
        journal.remove()
    finally:
        journal.close()
    return result


def run_to_stream(
    job: Job, stream: IO[bytes], make_runner: MakeRunner, max_errors: int | None, report: Report
) -> RunResult:
    """Run a job whose answers are written at once; nothing is kept of it.

    Args:
        job: what is asked, as JSON lines.
        stream: where the answers go.
        make_runner: makes what does the work, and gives parts in order.
        max_errors: most rows that may fail; None for any number.
        report: is told of each part.

    Raises:
        BatchError: too many rows failed, and the like.
        BundleError: the model cannot be used, or does not answer as a model should.
        DataError: the input cannot be read to its end.
    """
    n_rows = n_failed = 0
    failures: list[Failure] = []
    with make_runner() as runner, closing(runner.run(())) as parts:
        for part in parts:
            stream.write(part.content)
            stream.flush()
            n_rows += part.n_rows
            n_failed += part.n_failed
            failures = [*failures, *part.failures][:MOST_SHOWN_FAILURES]
            report(part.position, n_rows, n_failed)
            _check_errors(max_errors, n_failed, failures)
    return RunResult(n_rows, n_failed, failures)


class _InputState:
    """The content of an input, and what would tell that it changes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stat = self._read_stat()
        self.sha256 = hash_file(name)

    def check_unchanged(self) -> None:
        """Check that the input is still the file that was hashed."""
        if self._read_stat() != self._stat:
            raise BatchError(
                f"expected {self._name} to stay as it was at the start, got another size or time; "
                "an output of two versions helps nobody: give --restart to start over"
            )

    def _read_stat(self) -> tuple[int, int, int]:
        try:
            found = os.stat(self._name)  # noqa: PTH116  # Path would only wrap it
        except OSError as error:
            raise unreadable(self._name, error) from error
        return found.st_ino, found.st_size, found.st_mtime_ns


def _check_errors(max_errors: int | None, n_failed: int, failures: list[Failure]) -> None:
    if max_errors is not None and n_failed > max_errors:
        first = failures[0]
        raise BatchError(
            f"expected at most {max_errors} failed rows (--max-errors), got {n_failed}; one is "
            f"{first.place}: {first.code}: {first.message}. Mend the input, or run the same "
            "command again with a higher limit"
        )
