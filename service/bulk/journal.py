"""The working folder beside an output: the parts that are done, and the journal that says so.

    OUT.patsum-work/
      parts           the answers, chunk after chunk in the order in which they were done
      journal.jsonl   the job's identity, then a line for each chunk: where its answers stand
      whole           the output while it is put together

A chunk counts once its line stands in the journal, and the line is written after the answers. A
process that dies, at any moment, leaves at most answers that nobody refers to, and half a line. A
machine that dies may leave worse; so each line has the hash of its answers, and what does not fit
is done again. That is why nothing waits for the disk until the output is whole.

The last line has the size and the hash of `whole`, and is written before `whole` becomes OUT. So a
run is over once `whole` is gone and OUT is that file, bit for bit; anything else that stands at OUT
is somebody else's.
"""

import fcntl
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import IO, Any

from service.bulk.chunk import Failure, Part
from service.bulk.file_form import hash_file
from service.bulk.formats import RowOutput
from service.errors import BatchError

_SUFFIX = ".patsum-work"
_JOURNAL_FILE = "journal.jsonl"
_IDENTITY = "identity"
_FINISHED = "finished"
_WHOLE_FILE = "whole"


def work_folder(out: Path) -> Path:
    """Name the working folder of an output."""
    return out.with_name(out.name + _SUFFIX)


class Journal:
    """The state of a run; continues what an interrupted one left behind.

    Args:
        out: the output.
        identity: of the job; see `Job.identity`.

    Attributes:
        is_resumed: there was something to continue.
        n_rows: rows that are done, failed ones too.
        n_failed: rows that are done without a summary.

    Raises:
        BatchError: another process works on this output, or what was left behind is of another job.
    """

    def __init__(self, out: Path, identity: dict[str, Any]) -> None:
        self._out = out
        self._folder = work_folder(out)
        try:
            self._folder.mkdir(exist_ok=True)
            self._journal = (self._folder / _JOURNAL_FILE).open("a+b")
            self._parts = (self._folder / "parts").open("a+b")
        except OSError as error:
            raise BatchError(
                f"expected to write beside {out}, got {error.strerror}; check path and permissions"
            ) from error
        self._records: dict[int, dict[str, Any]] = {}
        self.n_rows = self.n_failed = 0
        self._finished: dict[str, Any] | None = None
        try:
            _lock(self._journal, out)
            self.is_resumed = self._resume(identity)
        except BatchError:
            self.close()
            raise

    @property
    def done(self) -> set[int]:
        """Numbers of the chunks that are done."""
        return set(self._records)

    @property
    def is_complete(self) -> bool:
        """Whether every chunk of the input is done."""
        last = max(self._records, default=-1)
        return len(self._records) == last + 1 > 0 and bool(self._records[last]["is_last"])

    @property
    def is_published(self) -> bool:
        """Whether the output is in its place, unchanged, and only cleaning up was not done."""
        if self._finished is None or (self._folder / _WHOLE_FILE).exists():
            return False
        return self._out.is_file() and _describe_content(self._out) == self._finished

    def failures(self, n: int) -> list[Failure]:
        """Give the first few rows without a summary."""
        numbers = sorted(number for number, r in self._records.items() if r["n_failed"])[:n]
        found = [Failure(*f) for number in numbers for f in self._records[number]["failures"]]
        return found[:n]

    def add(self, part: Part) -> None:
        """Keep a part for good."""
        offset = self._parts.seek(0, os.SEEK_END)
        self._parts.write(part.content)
        self._parts.flush()
        record = {
            "chunk": part.number,
            "offset": offset,
            "bytes": len(part.content),
            "sha256": hashlib.sha256(part.content).hexdigest(),
            "n_rows": part.n_rows,
            "n_failed": part.n_failed,
            "failures": [[f.place, f.code, f.message] for f in part.failures],
            "is_last": part.is_last,
        }
        self._append(record)
        self._count(record)

    def publish(self, output: RowOutput) -> None:
        """Put the whole output together, and in its place at once.

        Raises:
            BatchError: something is there already, the disk is full, or the like; nothing is lost.
        """
        assert self.is_complete, "an output is published whole"
        whole = self._folder / _WHOLE_FILE
        try:
            with whole.open("wb") as file:
                output.assemble(map(self._read_part, sorted(self._records)), file)
                file.flush()
                os.fsync(file.fileno())
            self._append({_FINISHED: _describe_content(whole)})
            check_free(self._out)
            whole.replace(self._out)
        except OSError as error:
            raise BatchError(
                f"expected to write {self._out}, got {error.strerror}; mend that and run the same "
                "command again: nothing is lost"
            ) from error

    def close(self) -> None:
        """Let go of the folder, for another run to continue."""
        self._parts.close()
        self._journal.close()

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder)
        self.close()

    def _resume(self, identity: dict[str, Any]) -> bool:
        """Take over what is there; False, and a new journal, when there is nothing."""
        entries = self._read_entries()
        if not entries:
            self._append({_IDENTITY: identity})
            return False
        self._check_identity(entries[0].get(_IDENTITY, {}), identity)
        self._take_records(entries[1:])
        return True

    def _append(self, entry: dict[str, Any]) -> None:
        self._journal.write(json.dumps(entry).encode() + b"\n")
        self._journal.flush()

    def _read_entries(self) -> list[dict[str, Any]]:
        """Read the journal, and cut off half a line, or worse, at its end."""
        self._journal.seek(0)
        entries = []
        end = 0
        for line in self._journal:
            try:
                entries.append(json.loads(line if line.endswith(b"\n") else b""))
            except ValueError:
                break
            end += len(line)
        self._journal.truncate(end)
        return entries

    def _check_identity(self, found: dict[str, Any], identity: dict[str, Any]) -> None:
        advice = "give the same again, --restart to start over, or another output"
        for name, value in identity.items():
            if found.get(name) != value:
                raise BatchError(
                    f"{self._folder} was begun with another {name}: "
                    f"expected {_show(found.get(name))}, got {_show(value)}; {advice}"
                )

    def _take_records(self, entries: list[dict[str, Any]]) -> None:
        """Take the chunks whose answers are there, bit for bit; the others are done again."""
        for entry in entries:
            if _FINISHED in entry:
                self._finished = entry[_FINISHED]
            elif hashlib.sha256(self._read(entry)).hexdigest() == entry["sha256"]:
                self._count(entry)

    def _count(self, record: dict[str, Any]) -> None:
        self._records[record["chunk"]] = record
        self.n_rows += record["n_rows"]
        self.n_failed += record["n_failed"]

    def _read_part(self, number: int) -> bytes:
        return self._read(self._records[number])

    def _read(self, record: dict[str, Any]) -> bytes:
        self._parts.seek(record["offset"])
        return self._parts.read(record["bytes"])


def check_free(out: Path) -> None:
    """Check that nothing is where an output is to be.

    Raises:
        BatchError: something is.
    """
    if out.exists():
        kind = "a folder" if out.is_dir() else "a file" if out.is_file() else "something"
        raise BatchError(
            f"expected nothing at {out}, got {kind}; move it away and run the same command again "
            "(what was done is kept), give another output, or --restart to replace a file"
        )


def remove_leftovers(out: Path) -> None:
    """Remove an output, and then what an interrupted run left beside it.

    Raises:
        BatchError: it cannot be removed, or another process works on it; nothing is removed.
    """
    folder = work_folder(out)
    try:
        if folder.exists():
            with (folder / _JOURNAL_FILE).open("ab") as journal:
                _lock(journal, out)
                out.unlink(missing_ok=True)
                shutil.rmtree(folder)
        out.unlink(missing_ok=True)
    except OSError as error:
        raise BatchError(
            f"expected to remove {out} for a new start, got {error.strerror}; remove it yourself"
        ) from error


def _lock(journal: IO[bytes], out: Path) -> None:
    """Lock the journal; the lock goes with the process, however that ends."""
    try:
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise BatchError(
            f"expected no other run that writes {out}, got one; wait until it is done, "
            "or give another output"
        ) from error


def _describe_content(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": hash_file(str(path))}


def _show(value: object) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)
