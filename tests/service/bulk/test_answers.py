"""What stands in a row of the output: what the REST API answers for the same text."""

import json

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from service.api.app import create_app
from service.api.schemas import SummarizeRequest
from service.api.settings import Settings
from service.bulk.chunk_summarizer import ChunkSummarizer
from service.bulk.columns import Columns
from service.bulk.file_form import tell_form
from service.bulk.formats import open_rows
from service.bulk.job import Job

TEXTS = (
    "The ferry left the harbour. 🚢 The mayor said no. The storm came. It was one year old.",
    "One sentence only.",
    "NUL \0 is a character. So is a lone surrogate \ud83d here. The train was on time.",
    " ".join(f"The council made report {i} about the river." for i in range(200)),
    "   ",
)

OPTIONS = [
    ([], {}),
    (["--sentences", "1", "--order", "rank"], {"sentenceCount": 1, "sortBy": "Rank"}),
    (["--ratio", "0.5", "--index-type", "Utf16CodeUnit"], None),
    (["--max-characters", "40"], {"maxCharacters": 40}),
    (["--explain"], {"explain": {"method": "attention"}}),
    (["--explain-method", "occlusion"], {"explain": {"method": "occlusion"}}),
]
UTF16 = {"ratio": 0.5, "stringIndexType": "Utf16CodeUnit"}


@pytest.fixture(scope="module")
def client(tiny_bundle):
    settings = Settings(bundle=tiny_bundle, metrics_port=0, workers=1)
    with TestClient(create_app(settings)) as client:
        for _ in range(10_000):
            if client.get("/readyz").status_code == 200:
                break
        yield client


@pytest.mark.parametrize(("arguments", "asked"), OPTIONS)
def test_row_is_what_the_api_answers(run, read, write_lines, tmp_path, client, arguments, asked):
    out = tmp_path / "out.jsonl"
    result = run(write_lines([{"text": text} for text in TEXTS]), out, *arguments)
    assert result.exit_code == 1, result.stderr
    rows = read(out)
    body = {"documents": [{"text": text} for text in TEXTS], **(UTF16 if asked is None else asked)}
    answer = client.post(
        "/v1/summarize", content=json.dumps(body), headers={"content-type": "application/json"}
    ).json()
    expected = {document["id"]: document for document in answer["documents"]}
    for row in rows[:-1]:
        assert row.pop("error") is None
        assert row.pop("modelVersion") == answer["modelVersion"]
        assert row == expected[row["id"]]
    (refused,) = answer["errors"]
    assert rows[-1]["id"] == refused["id"]
    assert rows[-1]["error"] == {
        "code": refused["error"]["code"],
        "message": refused["error"]["message"],
    }
    assert rows[-1]["summary"] is None
    assert rows[-1]["sentences"] == []


def test_cut_text_is_summarized_and_carries_its_warning(run, read, write_lines, tmp_path):
    assert run(write_lines([{"text": TEXTS[3]}]), tmp_path / "out.jsonl").exit_code == 0
    (row,) = read(tmp_path / "out.jsonl")
    assert row["warnings"][0]["code"] == "InputTruncated"
    assert row["statistics"]["truncated"] is True


@pytest.mark.parametrize("out", ["out.jsonl", "out.parquet"])
def test_every_sentence_is_there_when_the_job_asks_for_it(tiny_bundle, write_lines, client, out):
    request = SummarizeRequest(text="", return_all_scores=True)
    source = str(write_lines([{"text": TEXTS[0]}, {"text": " "}]))
    form = tell_form(source)
    columns = Columns("text", None)
    job = Job(source, form, tell_form(out), columns, request, False, 64, 9999, tiny_bundle)
    rows = open_rows(source, form, 9999, columns, keep=False)
    part = ChunkSummarizer(job).summarize(next(rows.cut(64)))
    rows.close()
    if out.endswith("parquet"):
        good, bad = pa.ipc.open_stream(part.content).read_all().to_pylist()
    else:
        good, bad = map(json.loads, part.content.splitlines())
    body = {"text": TEXTS[0], "returnAllScores": True}
    answer = client.post("/v1/summarize", json=body).json()
    assert good["allScores"] == answer["documents"][0]["allScores"]
    assert bad["allScores"] is None
