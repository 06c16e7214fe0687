"""An interrupted run goes on where it was, and its output is that of an uninterrupted one."""

import json
import shutil
import signal
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.bulk.journal import Journal

DEADLINE_S = 120


def poll(condition):
    """Wait until a condition holds, for a bounded time."""
    end = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < end, "the condition never held"
    return found


def n_journaled(out):
    journal = out.with_name(out.name + ".patsum-work") / "journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def children(pid):
    """Process ids of a process's children, from /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def interrupt(start, arguments, out, n_chunks, kill):
    """Start a run, and send it a signal once so many chunks are done; give its return code."""
    with start(*arguments) as process:
        poll(lambda: n_journaled(out) > n_chunks or process.poll() is not None)
        workers = children(process.pid)
        process.send_signal(kill)
        process.communicate(timeout=DEADLINE_S)  # an orphan would hold the pipe
    assert len(workers) >= 2
    poll(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    return process.returncode


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_process_goes_on_to_the_same_bytes(
    start, run, write_lines, text, tmp_path, kill
):
    rows = [{"text": text(i)} if i % 7 else b"{" for i in range(800)]
    source, whole, out = write_lines(rows), tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    assert run(source, whole).exit_code == 1
    arguments = (source, out, "--workers", "2", "--chunk-rows", "2")
    n_chunks = 5
    code = interrupt(start, arguments, out, n_chunks, kill)
    assert code == (130 if kill == signal.SIGINT else -kill)
    assert not out.exists()
    assert n_journaled(out) > n_chunks
    resumed = run(source, out, "--chunk-rows", "2")
    assert resumed.exit_code == 1, resumed.stderr
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(tmp_path.iterdir()) == sorted([source, whole, out])


@pytest.fixture(scope="module")
def stopped_folder():
    """Where the folder of a run that stopped near its end is kept, made by the first example."""
    return {}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(journal_share=st.floats(0, 1), parts_share=st.floats(0, 1))
def test_whatever_of_the_working_folder_survives_is_enough(
    run, write_lines, text, tmp_path, stopped_folder, journal_share, parts_share
):
    rows = [*({"text": text(i)} for i in range(20)), b"{", b"{"]
    source, out = write_lines(rows), tmp_path / "out.jsonl"
    work = tmp_path / "out.jsonl.patsum-work"
    if not stopped_folder:
        assert run(source, tmp_path / "whole.jsonl", "--chunk-rows", "3").exit_code == 1
        stopped_folder["whole"] = (tmp_path / "whole.jsonl").read_bytes()
        stopped = run(source, out, "--chunk-rows", "3", "--max-errors", "0")
        assert stopped.exit_code == 2
        shutil.move(work, tmp_path / "stopped")
        stopped_folder["path"] = tmp_path / "stopped"
    out.unlink(missing_ok=True)
    shutil.copytree(stopped_folder["path"], work)
    for name, share in (("journal.jsonl", journal_share), ("parts", parts_share)):
        content = (work / name).read_bytes()
        (work / name).write_bytes(content[: int(len(content) * share)])
    assert run(source, out, "--chunk-rows", "3").exit_code == 1
    assert out.read_bytes() == stopped_folder["whole"]
    assert not work.exists()


@pytest.fixture
def stopped(run, write_lines, text, tmp_path):
    """Source and output of a run that stopped in its middle."""
    rows = [{"text": text(i), "article": text(i + 1)} for i in range(9)]
    source = write_lines([*rows, b"{", *rows])
    out = tmp_path / "out.jsonl"
    result = run(source, out, "--chunk-rows", "2", "--max-errors", "0")
    assert result.exit_code == 2
    assert n_journaled(out) == 6
    return source, out


def test_chunks_that_are_done_are_not_done_again(run, stopped, monkeypatch):
    from service.bulk.chunk_summarizer import ChunkSummarizer

    numbers = []
    summarize = ChunkSummarizer.summarize
    monkeypatch.setattr(
        ChunkSummarizer, "summarize", lambda s, c: numbers.append(c.number) or summarize(s, c)
    )
    source, out = stopped
    assert run(source, out, "--chunk-rows", "2").exit_code == 1
    assert numbers == [5, 6, 7, 8, 9]


def test_changed_input_is_refused_until_restart(run, read, stopped):
    source, out = stopped
    source.write_bytes(source.read_bytes().replace(b"ferry", b"train", 1))
    refused = run(source, out, "--chunk-rows", "2")
    assert refused.exit_code == 2
    assert "another input sha256" in refused.stderr
    assert "--restart" in refused.stderr
    assert run(source, out, "--chunk-rows", "2", "--restart").exit_code == 1
    assert len(read(out)) == 19


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--sentences", "2"], "options"),
        (["--explain"], "options"),
        (["--keep"], "--keep"),
        (["--text-column", "article"], "text column"),
        (["--max-row-bytes", "99999"], "--max-row-bytes"),
        (["--chunk-rows", "3"], "--chunk-rows"),
    ],
)
def test_another_option_is_refused(run, stopped, arguments, name):
    source, out = stopped
    refused = run(source, out, "--chunk-rows", "2", *arguments)
    assert refused.exit_code == 2
    assert f"begun with another {name}" in refused.stderr


def test_another_model_is_refused(run, stopped, tiny_bundle_copy):
    source, out = stopped
    manifest = json.loads((tiny_bundle_copy / "manifest.json").read_text())
    (tiny_bundle_copy / "manifest.json").write_text(json.dumps({**manifest, "name": "other"}))
    refused = run(source, out, "--chunk-rows", "2", "--bundle", tiny_bundle_copy)
    assert refused.exit_code == 2
    assert "another model version" in refused.stderr


def test_finished_output_is_not_overwritten(run, articles, tmp_path):
    out = tmp_path / "out.jsonl"
    out.write_bytes(b"mine")
    refused = run(articles, out)
    assert refused.exit_code == 2
    assert "--restart" in refused.stderr
    assert out.read_bytes() == b"mine"
    assert sorted(tmp_path.iterdir()) == sorted([articles, out])
    assert run(articles, out, "--restart").exit_code == 0
    assert out.read_bytes() != b"mine"


def test_input_is_never_its_own_output(run, articles, tmp_path):
    content = articles.read_bytes()
    link = tmp_path / "link.jsonl"
    link.symlink_to(articles)
    for out in (articles, link, tmp_path / "." / articles.name):
        refused = run(articles, out, "--restart")
        assert refused.exit_code == 2
        assert "IN and OUT are one file" in refused.stderr
    assert articles.read_bytes() == content


def test_run_that_died_before_it_cleaned_up_counts_as_finished(
    run, articles, tmp_path, monkeypatch
):
    out = tmp_path / "out.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "remove", Journal.close)
        assert run(articles, out).exit_code == 0
    content = out.read_bytes()
    assert (tmp_path / "out.jsonl.patsum-work").exists()
    again = run(articles, out)
    assert again.exit_code == 0
    assert "23 summarized" in again.stderr
    assert out.read_bytes() == content
    assert not (tmp_path / "out.jsonl.patsum-work").exists()


def test_folder_that_appears_at_the_output_costs_nothing(run, articles, tmp_path, monkeypatch):
    from service.bulk.chunk_summarizer import ChunkSummarizer

    out, work = tmp_path / "out.jsonl", tmp_path / "out.jsonl.patsum-work"
    summarize = ChunkSummarizer.summarize

    def make_folder_and_summarize(summarizer, chunk):
        out.mkdir(exist_ok=True)
        return summarize(summarizer, chunk)

    with monkeypatch.context() as patch:
        patch.setattr(ChunkSummarizer, "summarize", make_folder_and_summarize)
        assert run(articles, out).exit_code == 2
    for arguments in ([], [], ["--restart"]):
        refused = run(articles, out, *arguments)
        assert refused.exit_code == 2, refused.stderr
        assert out.is_dir()
        assert (work / "journal.jsonl").read_bytes().count(b"\n") >= 2
    out.rmdir()
    monkeypatch.setattr(ChunkSummarizer, "summarize", None)  # nothing is left to summarize
    assert run(articles, out).exit_code == 0
    assert len(out.read_bytes().splitlines()) == 23
    assert not work.exists()


def test_file_that_appears_at_the_output_is_not_overwritten(run, articles, tmp_path, monkeypatch):
    from service.bulk.chunk_summarizer import ChunkSummarizer

    out, work = tmp_path / "out.jsonl", tmp_path / "out.jsonl.patsum-work"
    summarize = ChunkSummarizer.summarize

    def write_and_summarize(summarizer, chunk):
        out.write_bytes(b"mine")
        return summarize(summarizer, chunk)

    with monkeypatch.context() as patch:
        patch.setattr(ChunkSummarizer, "summarize", write_and_summarize)
        assert run(articles, out).exit_code == 2
    refused = run(articles, out)
    assert refused.exit_code == 2
    assert "expected nothing at" in refused.stderr
    assert out.read_bytes() == b"mine"
    assert work.exists()
    out.unlink()
    assert run(articles, out).exit_code == 0
    assert not work.exists()


@pytest.mark.parametrize("is_in_place", [True, False])
def test_foreign_output_beside_finished_work_is_refused(
    run, articles, tmp_path, monkeypatch, is_in_place
):
    out, work = tmp_path / "out.jsonl", tmp_path / "out.jsonl.patsum-work"
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "remove", Journal.close)
        assert run(articles, out).exit_code == 0
    content = out.read_bytes()
    if not is_in_place:  # as if the process had died before it put it there
        out.rename(work / "whole")
    foreign = content[::-1] if is_in_place else content
    out.write_bytes(foreign)
    refused = run(articles, out)
    assert refused.exit_code == 2
    assert out.read_bytes() == foreign
    assert work.exists()
    out.unlink()
    assert run(articles, out).exit_code == 0
    assert out.read_bytes() == content
    assert not work.exists()


def test_two_runs_of_one_output_do_not_meet(run, articles, tmp_path):
    out = tmp_path / "out.jsonl"
    other = Journal(out, {})
    for arguments in ([], ["--restart"]):
        refused = run(articles, out, *arguments)
        assert refused.exit_code == 2
        assert "expected no other run" in refused.stderr
    other.close()


def test_standard_input_cannot_be_continued(run, articles, tmp_path):
    out = tmp_path / "out.jsonl"
    content = b"{\n" + articles.read_bytes()
    assert run("-", out, "--max-errors", "0", input=content).exit_code == 2
    refused = run("-", out, input=content)
    assert refused.exit_code == 2
    assert "cannot be read twice" in refused.stderr
    assert run("-", out, "--restart", input=content).exit_code == 1


def test_input_that_changes_during_the_run_gives_no_output(run, articles, tmp_path, monkeypatch):
    from service.bulk.chunk_summarizer import ChunkSummarizer

    summarize = ChunkSummarizer.summarize

    def change_and_summarize(summarizer, chunk):
        with articles.open("ab") as file:
            file.write(b"{}\n")
        return summarize(summarizer, chunk)

    monkeypatch.setattr(ChunkSummarizer, "summarize", change_and_summarize)
    result = run(articles, tmp_path / "out.jsonl")
    assert result.exit_code == 2
    assert "to stay as it was" in result.stderr
    assert not (tmp_path / "out.jsonl").exists()
