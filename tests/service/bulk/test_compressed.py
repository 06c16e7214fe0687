"""Compressed JSON lines, read and written."""

import gzip
import lzma

import pytest

OPENERS = {"gz": gzip, "xz": lzma}


@pytest.mark.parametrize("suffix", OPENERS)
def test_compressed_files_hold_the_same_rows(run, articles, tmp_path, suffix):
    source = tmp_path / f"in.jsonl.{suffix}"
    source.write_bytes(OPENERS[suffix].compress(articles.read_bytes()))
    assert run(articles, tmp_path / "plain.jsonl").exit_code == 0
    outs = [tmp_path / f"{name}.jsonl.{suffix}" for name in ("one", "two")]
    for out in outs:
        assert run(source, out, "--chunk-rows", "4").exit_code == 0
    content = outs[0].read_bytes()
    assert OPENERS[suffix].decompress(content) == (tmp_path / "plain.jsonl").read_bytes()
    assert outs[1].read_bytes() == content


@pytest.mark.parametrize("suffix", OPENERS)
def test_damaged_file_is_one_line_and_no_output(run, articles, tmp_path, suffix):
    source = tmp_path / f"in.jsonl.{suffix}"
    content = OPENERS[suffix].compress(articles.read_bytes())
    for damaged in (content[:-20], b"no archive", content[:60] + b"\0" * 9 + content[69:]):
        source.write_bytes(damaged)
        result = run(source, tmp_path / "out.jsonl", "--restart")
        assert result.exit_code == 2
        assert "damaged or incomplete" in result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("names", [("in.csv", "out.jsonl"), ("in.jsonl", "out.json")])
def test_unknown_form_is_refused_with_those_that_there_are(run, tmp_path, names):
    result = run(*(tmp_path / name for name in names))
    assert result.exit_code == 2
    assert ".jsonl.xz" in result.stderr


def test_missing_input_and_unwritable_output_are_one_line(run, articles, tmp_path):
    missing = run(tmp_path / "no.jsonl", tmp_path / "out.jsonl")
    assert missing.exit_code == 2
    assert "No such file" in missing.stderr
    unwritable = run(articles, tmp_path / "no" / "out.jsonl")
    assert unwritable.exit_code == 2
    assert "expected to write beside" in unwritable.stderr
