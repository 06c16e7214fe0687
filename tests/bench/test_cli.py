"""Facts about `patsum bench`: its options, its files, its refusals."""

import asyncio
import html.parser
import json
import re
import signal
import xml.etree.ElementTree as ET

import pytest
from click.testing import CliRunner

import bench.quiet
from bench.cli import bench as command
from bench.command_line import record_command
from bench.result_tables import facts, headline
from bench.results import read_results
from bench.tables import main as tables_main
from bench.tables import tables, write_markdown
from service.cli import cli
from service.errors import DataError, PatsumError

MARK = "quokka"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "articles.jsonl"
    row = {"article": f"The ferry left. A {MARK} was on board. The mayor had a report. It rained."}
    path.write_text(json.dumps(row) + "\n")
    return path


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(bench.quiet.QuietWatch.__init__, "__defaults__", (0.01,))


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def files(tmp_path_factory, tiny_bundle, data):
    """One small run of everything, in process."""
    folder = tmp_path_factory.mktemp("run")
    result = run(
        "--bundle", tiny_bundle, "--compare", tiny_bundle, "--data", data, "--requests", 30,
        "--rates", "50,200", "--slo-ms", 5000, "--lengths", "16,64,4096", "--engine-runs", 8,
        "--cold-start", 1, "--workers", 2, "--json", folder / "r.json",
        "--html", folder / "r.html", "--svg", folder / "r.svg",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (folder / "out.txt").write_text(result.output)
    return folder


def test_results_come_back_as_they_were(files):
    results = read_results(files / "r.json")
    assert results.single_stream.counts.n_ok == 30
    assert results.offline.counts.n_ok == 30
    assert [point.rate for point in results.server.points] == [50, 200]
    assert [time.n_tokens for time in results.engine] == [16, 16, 64, 64]
    (start,) = results.cold_start
    assert start.ready_s > 0.1
    assert start.rss_bytes > 2**25
    assert results.target.model.startswith("patsum-tiny@sha256:")
    assert set(results.single_stream.stages) == {"queue", "encode", "infer"}
    assert results.warnings == [
        "p99 needs 662 samples, this run has 30 each: do not decide on its p99",
        "the model reads 512 tokens: not timed at 4096",
    ]


def test_rates_without_enough_samples_have_no_headline_rate(files):
    results = read_results(files / "r.json")
    assert results.server.highest_rate is None
    assert headline(results) == "No measured rate keeps p99 within 5,000 ms without an error."
    assert {p.why_not for p in results.server.points} == {"too few samples to bound p99"}


def test_no_report_holds_an_article(files):
    for path in files.iterdir():
        assert MARK not in path.read_text(encoding="utf-8")


def test_terminal_shows_every_table_and_fact(files):
    output = (files / "out.txt").read_text()
    for part in ("Server: latency", "SingleStream", "Offline", "Stages", "The model alone",
                 "Cold starts", "takes this much of", "quiet", "int8", "command"):  # fmt: skip
        assert part in output
    assert "this says nothing about int8" in output  # both bundles are float32


class Page(html.parser.HTMLParser):
    """Counts what is open, and gathers what could be fetched or stands twice."""

    VOID = frozenset({"meta", "br", "link", "img", "input", "hr"})

    def __init__(self):
        super().__init__()
        self.open, self.references, self.ids, self.tags = [], [], [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "srcset", "data", "action"):
                self.references.append(value)
            if name == "id":
                self.ids.append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_is_whole_and_fetches_nothing(files):
    text = (files / "r.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed"}
    assert page.references
    assert all(reference.startswith("#") for reference in page.references)
    assert {reference[1:] for reference in page.references} <= set(page.ids)
    assert "@import" not in text
    assert all(url.startswith("url(#") for url in re.findall(r"url\([^)]*", text))
    assert text.count("<svg") == 4


def test_picture_is_xml_and_follows_the_readers_scheme(files):
    text = (files / "r.svg").read_text(encoding="utf-8")
    assert ET.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme: dark" in text
    assert "p99" in text
    assert not re.search(r"#0\d0\dfe", text)  # every stand-in was replaced


def test_tables_are_made_again_from_the_file(files):
    result = CliRunner().invoke(tables, [str(files / "r.json")])
    assert result.exit_code == 0
    assert (
        "| requests/s | p50 | p99 | sent late, p99 | n | 429 | errors | meets the objective |"
        in result.output
    )
    assert "- command: `patsum bench" in result.output


def test_service_is_measured_over_http(service_url, tmp_path):
    result = run(
        "--url", service_url, "--words", "30-60", "--articles", 5, "--requests", 20,
        "--rates", "40", "--json", tmp_path / "r.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    results = read_results(tmp_path / "r.json")
    assert results.target.kind == "url"
    assert results.server.points[0].counts.n_ok == 20
    assert results.engine == []


def test_facts_of_a_url_are_those_of_the_service_and_not_of_the_sender(answering, tmp_path):
    with answering() as url:
        result = run("--url", url, "--articles", 1, "--scenario", "offline", "--requests", 1,
                     "--json", tmp_path / "r.json")  # fmt: skip
    assert result.exit_code == 0, result.output
    shown = dict(facts(read_results(tmp_path / "r.json")))
    assert shown["cpu"] == "none"
    assert shown["versions"] == "patsum 0.0.7"
    assert shown["flags"] == "avx2 avx_vnni"
    assert shown["int8"].startswith("int8 should pay: avx_vnni")
    assert "usable" in shown["sender's cpu"]
    assert "httpx" in shown["sender's versions"]


def test_interrupted_run_writes_what_it_had_finished(
    tiny_bundle, data, tmp_path, monkeypatch, request
):
    async def interrupt(*_):
        signal.raise_signal(signal.SIGINT)
        await asyncio.Event().wait()

    # A process that was started in the background may have been told to ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    monkeypatch.setattr("bench.scenarios.run_offline", interrupt)
    result = run(
        "--bundle", tiny_bundle, "--data", data, "--scenario", "single-stream",
        "--scenario", "offline", "--requests", 3, "--json", tmp_path / "r.json",
    )  # fmt: skip
    assert result.exit_code == 130
    results = read_results(tmp_path / "r.json")
    assert results.single_stream.counts.n_ok == 3
    assert results.offline is None
    assert results.warnings[0].startswith("the run was interrupted")
    assert "the run was interrupted" in result.stdout


@pytest.mark.slow
def test_search_finds_a_rate_that_the_tiny_bundle_keeps(tiny_bundle, tmp_path):
    result = run(
        "--bundle", tiny_bundle, "--words", "30-60", "--scenario", "server", "--precision", 0.3,
        "--slo-ms", 500, "--json", tmp_path / "r.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    server = read_results(tmp_path / "r.json").server
    assert server.highest_rate is not None
    assert any(p.is_confirmation and p.passes and p.counts.n >= 1324 for p in server.points)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rates", "0"], "expected numbers above 0"),
        (["--rates", "5,-1"], "expected numbers above 0"),
        (["--rates", "x"], "expected numbers above 0"),
        (["--rates", "inf"], "expected numbers above 0"),
        (["--words", "700-500"], "expected lengths like 500-700"),
        (["--words", "0"], "expected lengths like 500-700"),
        (["--lengths", "2"], "expected numbers from 3"),
        (["--requests", "0"], "is not in the range"),
        (["--slo-ms", "0"], "is not in the range"),
        (["--json", "no/such/folder/r.json"], "there is no folder"),
        (["--scenario", "engine", "--svg", "x.svg"], "add --scenario server"),
    ],
)
def test_wrong_options_are_refused(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--requests", "100"], "at least 662 to search"),
        (["--url", "http://x", "--cold-start", "1"], "leave out one side"),
        (["--url", "http://x", "--scenario", "engine"], "leave out one of them"),
        (["--compare", "x", "--scenario", "offline"], "add --scenario engine"),
        (["--data", "no.jsonl"], "expected a file of JSON lines at no.jsonl, found none"),
        (["--scenario", "engine", "--lengths", "999999"], "expected --lengths of at most"),
    ],
)
def test_plans_that_cannot_be_are_refused(arguments, message):
    result = run(*arguments)
    assert isinstance(result.exception, PatsumError)
    assert message in str(result.exception)


def test_help_teaches_by_examples():
    result = run("--help")
    assert result.exit_code == 0
    assert "patsum bench --url http://127.0.0.1:8000" in result.stdout
    assert "docs/benchmark.md" in result.stdout


def test_command_is_listed_by_patsum():
    assert "bench" in CliRunner().invoke(cli, ["--help"]).stdout


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        ("--url u --api-key secret --json a --slo-ms 5 --html=b --api-key=secret --svg c -h",
         "--url u --slo-ms 5 -h"),
        ("--data /srv/me/a.jsonl --bundle=/srv/me/mine/ --compare ../float32 --encoder /e/m",
         "--data a.jsonl --bundle=mine --compare float32 --encoder m"),
        ("--api-key --json --json /srv/me/data --data --data --seed 1",
         "--data --data --seed 1"),
        ("--data a --data b --bundle . --seed 1", "--data a --data b --bundle . --seed 1"),
    ],
)  # fmt: skip
def test_key_outputs_and_folders_stay_out_of_the_command_line(given, recorded):
    arguments = ["bench", *given.split()]
    assert record_command(("patsum", "bench"), arguments) == f"patsum bench {recorded}"


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"kind": "peers"}'])
def test_other_files_are_no_results(tmp_path, content):
    path = tmp_path / "r.json"
    path.write_text(content)
    with pytest.raises(DataError, match="expected"):
        read_results(path)
    with pytest.raises(DataError, match="expected"):
        list(write_markdown(path))


def test_fault_of_the_user_ends_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["tables", str(tmp_path / "no.json")])
    with pytest.raises(SystemExit, match="2"):
        tables_main()
    assert capsys.readouterr().err.startswith("patsum: error: expected results as JSON in ")
