"""Parquet, read and written: types, nulls, row groups, and what a row group may hold wrongly."""

import datetime as dt
import decimal
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from service.api import schemas
from service.bulk.parquet_output import ParquetOutput


@pytest.fixture
def table(text):
    """19 rows with columns of many types, one of them with a null text."""
    n = 19
    texts = [text(i) for i in range(n)]
    texts[4] = None
    utc = dt.UTC
    return pa.table(
        {
            "id": pa.array(range(100, 100 + n), pa.int64()),
            "text": pa.array(texts),
            "when": pa.array([dt.datetime(2026, 1, 1 + i, tzinfo=utc) for i in range(n)]),
            "nanos": pa.array(
                [1_700_000_000_000_000_001 + i for i in range(n)], pa.timestamp("ns")
            ),
            "price": pa.array([decimal.Decimal(f"{i}.50") for i in range(n)]),
            "raw": pa.array([bytes([255, i]) for i in range(n)]),
            "tags": pa.array([[str(i)] * (i % 3) or None for i in range(n)]),
            "section": pa.array(["ab"[i % 2] for i in range(n)]).dictionary_encode(),
            "nested": pa.array(
                [{"x": i, "y": None} for i in range(n)],
                pa.struct({"x": pa.int8(), "y": pa.string()}),
            ),
            "share": pa.array([float("nan"), *([0.5] * (n - 1))]),
        }
    )


@pytest.fixture
def source(table, tmp_path):
    path = tmp_path / "in.parquet"
    pq.write_table(table, path, row_group_size=7)
    return path


def as_json_rows(table):
    """A table of answers as the JSON lines have them."""
    rows = table.to_pylist()
    for row in rows:
        if row.get("explanation"):
            faithfulness = row["explanation"].pop("faithfulness")
            row["explanation"]["faithfulness"] = dict(faithfulness)
    return rows


@pytest.mark.parametrize("arguments", [[], ["--explain", "--sentences", "2"]])
def test_both_formats_hold_the_same_answers(run, read, source, tmp_path, arguments):
    for name in ("out.parquet", "out.jsonl"):
        result = run(source, tmp_path / name, "--chunk-rows", "3", *arguments)
        assert result.exit_code == 1
        assert "row 5: InvalidText: expected a text in column 'text', got null" in result.stderr
    answers = as_json_rows(pq.read_table(tmp_path / "out.parquet"))
    lines = read(tmp_path / "out.jsonl")
    for answer in [*answers, *lines]:  # null and absent are one in Parquet
        for reasons in [answer["explanation"] or {}] if arguments else []:
            reasons.setdefault("faithfulness", None)
    assert answers == lines
    assert [row["id"] for row in lines] == [str(100 + i) for i in range(19)]


def test_lines_and_parquet_give_the_same_answers(run, read, source, table, write_lines, tmp_path):
    lines = write_lines(table.select(["id", "text"]).to_pylist())
    assert run(lines, tmp_path / "a.parquet").exit_code == 1
    assert run(source, tmp_path / "b.parquet").exit_code == 1
    assert pq.read_table(tmp_path / "a.parquet") == pq.read_table(tmp_path / "b.parquet")


def test_kept_columns_keep_their_types_and_nulls(run, source, table, tmp_path):
    out = tmp_path / "out.parquet"
    assert run(source, out, "--keep", "--chunk-rows", "2", "--workers", "2").exit_code == 1
    kept = pq.read_table(out).column("input").combine_chunks().flatten()
    names = [name for name in table.column_names if name != "text"]
    for name, column in zip(names, kept, strict=True):
        expected = table.column(name).combine_chunks()
        assert column.type == expected.type, name
        if name == "share":  # NaN differs from itself
            assert str(column.to_pylist()) == str(expected.to_pylist())
        else:
            assert column.equals(expected), name


def test_kept_columns_become_json(run, read, source, tmp_path):
    assert run(source, tmp_path / "out.jsonl", "--keep").exit_code == 1
    first = read(tmp_path / "out.jsonl")[0]["input"]
    assert first == {
        "id": 100,
        "when": "2026-01-01 00:00:00.000000Z",
        "nanos": "2023-11-14 22:13:20.000000001",
        "price": "0.50",
        "raw": "/wA=",
        "tags": None,
        "section": "a",
        "nested": {"x": 0, "y": None},
        "share": "NaN",
    }


def test_interrupted_run_goes_on_to_the_same_bytes(run, source, tmp_path):
    options = ("--keep", "--chunk-rows", "2")
    assert run(source, tmp_path / "whole.parquet", *options).exit_code == 1
    out = tmp_path / "out.parquet"
    assert run(source, out, *options, "--max-errors", "0").exit_code == 2
    assert not out.exists()
    assert run(source, out, *options).exit_code == 1
    assert out.read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_bytes_that_are_not_utf8_are_an_error_of_their_row(run, tmp_path):
    texts = pa.array([b"A b. C d.", b"\xff", b"E f."])
    for name, column in (("binary", texts), ("string", texts.view(pa.string()))):
        source = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({"text": column, "x": [1, 2, 3]}), source)
        assert run(source, tmp_path / f"{name}-out.parquet").exit_code == 1
        errors = pq.read_table(tmp_path / f"{name}-out.parquet").column("error").to_pylist()
        assert [error and error["code"] for error in errors] == [None, "InvalidUtf8", None]


def test_lone_surrogate_is_an_error_in_parquet_and_none_in_json(run, write_lines, tmp_path):
    source = write_lines([{"id": "\ud83d", "text": "A b \ud83d. C d."}, {"text": "E f."}])
    assert run(source, tmp_path / "out.jsonl").exit_code == 0
    assert run(source, tmp_path / "out.parquet").exit_code == 1
    errors = pq.read_table(tmp_path / "out.parquet").column("error").to_pylist()
    assert "lone surrogate" in errors[0]["message"]
    assert errors[1] is None


def test_larger_text_than_allowed_is_an_error_at_the_edge(run, tmp_path):
    pq.write_table(pa.table({"text": ["A b. C d.", "A b. C d.."]}), tmp_path / "in.parquet")
    out = tmp_path / "out.parquet"
    assert run(tmp_path / "in.parquet", out, "--max-row-bytes", "9").exit_code == 1
    errors = pq.read_table(out).column("error").to_pylist()
    assert [error and error["code"] for error in errors] == [None, "RowTooLarge"]


def test_no_rows_give_no_rows(run, table, tmp_path):
    pq.write_table(table.slice(0, 0), tmp_path / "in.parquet")
    assert run(tmp_path / "in.parquet", tmp_path / "out.parquet", "--keep").exit_code == 0
    out = pq.read_table(tmp_path / "out.parquet")
    assert out.num_rows == 0
    assert "input" in out.column_names


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--text-column", "body"], "got the columns: id, text, when"),
        (["--text-column", "id"], "expected texts in column 'id', got the type int64"),
        (["--id-column", "share"], "expected ids in column 'share', got the type double"),
    ],
)
def test_unfit_column_is_refused(run, source, tmp_path, arguments, words):
    result = run(source, tmp_path / "out.parquet", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_file_that_is_no_parquet_is_refused(run, tmp_path):
    (tmp_path / "in.parquet").write_bytes(b"PAR?")
    result = run(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert result.exit_code == 2
    assert "expected a Parquet file" in result.stderr


def test_lines_cannot_be_kept_in_parquet(run, articles, tmp_path):
    result = run(articles, tmp_path / "out.parquet", "--keep")
    assert result.exit_code == 2
    assert "whose columns have types" in result.stderr


def test_nested_columns_have_the_names_of_the_json():
    schema = ParquetOutput(has_explanation=True, has_all_scores=True, kept_type=None)._schema

    def names(kind):
        return {field.name for field in kind}

    def aliases(model):
        return {field.alias for field in model.model_fields.values()}

    explanation = schema.field("explanation").type
    reason = explanation.field("selected").type.value_type
    assert names(schema.field("sentences").type.value_type) == aliases(schemas.SentenceResult)
    assert names(schema.field("allScores").type.value_type) == aliases(schemas.SentenceResult)
    assert names(schema.field("statistics").type) == aliases(schemas.StatisticsResult)
    assert names(schema.field("warnings").type.value_type) == aliases(schemas.WarningResult)
    assert names(explanation) == aliases(schemas.ExplanationResult)
    assert names(reason) == aliases(schemas.ReasonResult)
    assert names(reason.field("evidence").type.value_type) == aliases(schemas.EvidenceResult)
    assert names(reason.field("patterns").type.value_type) == aliases(schemas.PatternResult)
    answer = aliases(schemas.DocumentResult) | {"modelVersion", "error"}
    assert set(schema.names) == answer


def test_command_runs_without_pyarrow_and_names_the_extra(start, articles, tmp_path):
    blocked = tmp_path / "blocked" / "sitecustomize.py"
    blocked.parent.mkdir()
    blocked.write_text("import sys; sys.modules['pyarrow'] = sys.modules['ray'] = None\n")
    paths = os.pathsep.join([str(blocked.parent), str(Path.cwd())])
    for arguments, extra in (
        (["out.parquet"], "batch"),
        (["out.jsonl", "--ray", "local"], "ray"),
    ):
        process = start(articles, *arguments, environment={"PYTHONPATH": paths}, cwd=tmp_path)
        _, stderr = process.communicate()
        assert process.returncode == 2, stderr
        assert f"'.[{extra}]'" in stderr.decode()
        assert len(stderr.splitlines()) == 1
    process = start(articles, "out.jsonl", environment={"PYTHONPATH": paths}, cwd=tmp_path)
    _, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])["id"] == "a0"
