"""Every row of the input is one row of the output, in its place, whatever it holds."""

import json

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.cli import cli

GOOD = json.dumps({"id": "good", "text": "The ferry left. The mayor came. It was one year old."})

BAD = {
    b'{"id": "x", "text": ': "MalformedRow",
    b"[1, 2]": "MalformedRow",
    b'"text"': "MalformedRow",
    b'{"id": "x"}': "MalformedRow",
    b"[" * 5_000: "MalformedRow",
    b'{"id": "x", "text": null}': "InvalidText",
    b'{"id": "x", "text": 7}': "InvalidText",
    b'{"id": "x", "text": ["a"]}': "InvalidText",
    b'{"id": "x", "text": ""}': "InvalidDocument",
    b'{"id": "x", "text": " \\n"}': "InvalidDocument",
    b'{"id": 1.5, "text": "A b. C d."}': "InvalidId",
    b'{"id": true, "text": "A b. C d."}': "InvalidId",
    b'{"id": "x", "text": "\xff"}': "InvalidUtf8",
    b"\xff\xfe": "InvalidUtf8",
}
ROWS = st.sampled_from([GOOD.encode(), *BAD])
BLANK_LINES = st.sampled_from([b"", b"", b"\n", b" \n\r\n"])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(BLANK_LINES, ROWS), max_size=30),
    chunk_rows=st.integers(1, 9),
    is_ended=st.booleans(),
)
def test_each_row_has_its_answer_in_its_place(run, read, tmp_path, rows, chunk_rows, is_ended):
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    content = GOOD.encode() + b"\n" + b"\n".join(blank + row for blank, row in rows)
    source.write_bytes(content + (b"\n" if is_ended else b""))
    result = run(source, out, "--restart", "--chunk-rows", chunk_rows)
    expected = [None] + [BAD.get(row) for _, row in rows]
    got = [answer["error"] and answer["error"]["code"] for answer in read(out)]
    assert got == expected
    n_bad = sum(code is not None for code in expected)
    assert result.exit_code == (1 if n_bad else 0)
    assert f"{len(expected) - n_bad:,} summarized, {n_bad:,} failed" in result.stderr


def test_places_on_stderr_are_line_numbers_and_only_the_first_few(run, write_lines, tmp_path):
    lines = [b"", {"text": "A b. C d."}, b"", *[b"{"] * 9]
    result = run(write_lines(lines), tmp_path / "out.jsonl", "--chunk-rows", 2)
    places = [line.split()[1] for line in result.stderr.splitlines() if "line " in line]
    assert places == ["4:", "5:", "6:", "7:", "8:"]
    assert "and 4 more" in result.stderr


def test_several_workers_keep_the_order(run, articles, tmp_path):
    one, three = tmp_path / "one.jsonl", tmp_path / "three.jsonl"
    assert run(articles, one).exit_code == 0
    assert run(articles, three, "--workers", "3", "--chunk-rows", "2").exit_code == 0
    assert one.read_bytes() == three.read_bytes()
    streamed = run(articles, "-", "--workers", "2", "--chunk-rows", "2")
    assert streamed.stdout_bytes == one.read_bytes()


def test_ids_are_strings_or_positions(run, read, write_lines, tmp_path):
    text = "A b. C d."
    numbers = [{"id": 7, "text": text}, {"id": None, "text": text}, {"text": text}]
    assert run(write_lines(numbers), tmp_path / "a.jsonl").exit_code == 0
    assert [row["id"] for row in read(tmp_path / "a.jsonl")] == ["7", None, None]
    assert run(write_lines([{"text": text}] * 3), tmp_path / "b.jsonl").exit_code == 0
    assert [row["id"] for row in read(tmp_path / "b.jsonl")] == ["0", "1", "2"]
    named = [{"key": "k", "article": text}]
    assert run(write_lines(named), tmp_path / "c.jsonl", "--id-column", "key").exit_code == 0
    assert [row["id"] for row in read(tmp_path / "c.jsonl")] == ["k"]


def test_unknown_column_is_refused_with_the_ones_that_there_are(run, write_lines, tmp_path):
    source = write_lines([{"key": 1, "body": "A b."}])
    for arguments in ([], ["--text-column", "content"], ["--text-column=body", "--id-column=no"]):
        result = run(source, tmp_path / "out.jsonl", *arguments)
        assert result.exit_code == 2
        assert "got the columns: key, body" in result.stderr
    assert list(tmp_path.iterdir()) == [source]


def test_kept_columns_come_back_unchanged(run, read, write_lines, tmp_path):
    row = {"id": 3, "text": "A b. C d.", "summary": "ours", "nested": {"é": [1, 2.5, None]}}
    assert run(write_lines([row, {"text": 1, "x": 2}]), tmp_path / "o.jsonl", "--keep").exit_code
    good, bad = read(tmp_path / "o.jsonl")
    assert good["input"] == {name: value for name, value in row.items() if name != "text"}
    assert bad["input"] == {"x": 2}
    assert bad["error"]["code"] == "InvalidText"


@pytest.mark.parametrize("number", [b"NaN", b"1e999", b"-Infinity"])
def test_number_that_json_cannot_hold_is_an_error_when_kept(run, read, tmp_path, number):
    source = tmp_path / "in.jsonl"
    source.write_bytes(b'{"text": "A b. C d.", "x": ' + number + b"}\n")
    assert run(source, tmp_path / "a.jsonl").exit_code == 0
    assert run(source, tmp_path / "b.jsonl", "--keep").exit_code == 1
    assert read(tmp_path / "b.jsonl")[0]["error"]["code"] == "MalformedRow"


def test_byte_order_mark_and_windows_line_ends_are_read(run, read, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_bytes(b"\xef\xbb\xbf" + GOOD.encode() + b"\r\n" + GOOD.encode() + b"\r\n")
    assert run(source, tmp_path / "out.jsonl").exit_code == 0
    assert len(read(tmp_path / "out.jsonl")) == 2


def test_empty_input_gives_an_empty_output(run, tmp_path):
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"\n")
    assert run(source, out).exit_code == 0
    assert out.read_bytes() == b""


def test_standard_streams_give_the_same_bytes(run, articles, tmp_path):
    assert run(articles, tmp_path / "out.jsonl").exit_code == 0
    streamed = run("-", "-", input=articles.read_bytes())
    assert streamed.exit_code == 0
    assert streamed.stdout_bytes == (tmp_path / "out.jsonl").read_bytes()
    assert run("-", tmp_path / "piped.jsonl", input=articles.read_bytes()).exit_code == 0
    assert (tmp_path / "piped.jsonl").read_bytes() == streamed.stdout_bytes


def test_larger_row_than_allowed_is_an_error_at_the_edge(run, read, write_lines, tmp_path):
    line = json.dumps({"text": "A b. C d."}).encode()
    source = write_lines([line, line + b" ", line])
    result = run(source, tmp_path / "out.jsonl", "--max-row-bytes", len(line))
    assert result.exit_code == 1
    errors = [row["error"] and row["error"]["code"] for row in read(tmp_path / "out.jsonl")]
    assert errors == [None, "RowTooLarge", None]


def test_help_says_of_each_format_what_a_large_row_costs():
    text = " ".join(CliRunner().invoke(cli, ["batch", "--help"]).output.split())
    assert "is never held in memory whole; such a text is, with the rest of its row group" in text


def test_more_errors_than_allowed_stop_the_run_at_the_edge(run, read, write_lines, tmp_path):
    source, out = (
        write_lines([{"text": "A b."}, b"{", b"{", {"text": "C d."}]),
        tmp_path / "o.jsonl",
    )
    stopped = run(source, out, "--max-errors", "1", "--chunk-rows", "1")
    assert stopped.exit_code == 2
    assert "at most 1 failed rows" in stopped.stderr
    assert not out.exists()
    assert run(source, out, "--max-errors", "2", "--chunk-rows", "1").exit_code == 1
    assert len(read(out)) == 4


def test_unforeseen_error_in_a_row_fails_that_row_only(
    run, read, write_lines, text, tmp_path, monkeypatch
):
    from service.inference.engine import Engine

    score = Engine.score

    def break_on_long_texts(engine, encoded, stop=None):
        if encoded.n_encoded > 3:
            raise IndexError("a bug")
        return score(engine, encoded, stop)

    monkeypatch.setattr(Engine, "score", break_on_long_texts)
    texts = ["The storm came.", text(1), "The storm came."]
    assert run(write_lines([{"text": t} for t in texts]), tmp_path / "o.jsonl").exit_code == 1
    errors = [row["error"] and row["error"]["code"] for row in read(tmp_path / "o.jsonl")]
    assert errors == [None, "InternalError", None]
