"""Facts about the way from text to summary."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service import Summarizer
from service.errors import InputError
from service.inference.bundle import Bundle
from service.inference.explain import ExplainMethod
from service.inference.summarizer import LongInput
from service.text.select import LengthRule, Order, Redundancy
from tests.tiny_bundle import MAX_TOKENS

TEXT = (
    "The ferry left the harbour before the storm. The mayor said that the council had a report. "
    "No train was on time. The storm came in the night, and the water was over the road. "
    "People would vote for a new bridge over the river."
)
LONG_TEXT = " ".join(f"The council made report {i} about the river." for i in range(200))

# Any Unicode, lone surrogates too, with sentence ends, line breaks and white space in plenty.
characters = st.one_of(
    st.characters(codec=None, exclude_categories=[]),
    st.sampled_from(" .!?…\"'()\n\r\t\0\u00a0\u2028\u3000Ab9😀\ud800"),
)
texts = st.lists(
    st.one_of(st.text(characters, max_size=30), st.sampled_from(TEXT.split(". "))), max_size=8
).map(". ".join)


@pytest.fixture(scope="module")
def summarizer(tiny_bundle):
    return Summarizer(tiny_bundle)


def test_summary_holds_the_best_sentences_in_document_order(summarizer):
    summary = summarizer.summarize(TEXT, return_all_scores=True)
    best = sorted(summary.all_scores, key=lambda s: (-s.rank_score, s.index))[:3]
    assert list(summary.sentences) == sorted(best, key=lambda s: s.index)
    assert summary.text == " ".join(s.text for s in summary.sentences)
    assert summary.warnings == ()
    assert summary.explanation is None


def test_without_a_rule_the_bundle_says_how_many(four_sentence_bundle):
    adaptive = Summarizer(four_sentence_bundle)
    for method in (None, *ExplainMethod):
        summary = adaptive.summarize(TEXT, explain=method, return_all_scores=True)
        best = sorted(summary.all_scores, key=lambda s: (-s.rank_score, s.index))[:4]
        assert [s.index for s in summary.sentences] == sorted(s.index for s in best)
        if summary.explanation is not None:
            reasons = [reason.index for reason in summary.explanation.selected]
            assert reasons == [s.index for s in summary.sentences]


@pytest.mark.parametrize(
    "rule", [LengthRule(sentence_count=3), LengthRule(ratio=0.2), LengthRule(max_characters=90)]
)
def test_with_a_rule_nothing_depends_on_the_default_length(summarizer, four_sentence_bundle, rule):
    adaptive = Summarizer(four_sentence_bundle)
    assert adaptive.summarize(TEXT, rule=rule) == summarizer.summarize(TEXT, rule=rule)


@pytest.mark.parametrize("text", ["One sentence only.", "It was one. It was two."])
def test_short_text_is_chosen_whole_by_default(four_sentence_bundle, text):
    assert Summarizer(four_sentence_bundle).summarize(text).text == text


def test_rank_order_puts_the_best_sentence_first(summarizer):
    summary = summarizer.summarize(TEXT, order=Order.RANK, rule=LengthRule(sentence_count=5))
    scores = [s.rank_score for s in summary.sentences]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert summary.text.startswith(summary.sentences[0].text)


@given(texts, st.sampled_from(Order), st.sampled_from(Redundancy), st.integers(1, 9))
@example("\ud800. \udfff! A\0B.", Order.OFFSET, Redundancy.NONE, 9)
@example("Ok. 👩‍👩‍👧‍👦 e\u0301. \u202eabc.\u202c", Order.RANK, Redundancy.TRIGRAM, 9)
def test_every_sentence_quotes_the_text_at_its_offset(
    summarizer, text, order, redundancy, sentence_count
):
    rule = LengthRule(sentence_count=sentence_count)
    if not text.strip():
        with pytest.raises(InputError):
            summarizer.summarize(text, rule=rule)
        return
    summary = summarizer.summarize(
        text, rule=rule, order=order, redundancy=redundancy, return_all_scores=True
    )
    assert 1 <= len(summary.sentences) <= sentence_count
    for sentence in (*summary.sentences, *summary.all_scores):
        assert sentence.length > 0
        assert sentence.text == text[sentence.offset : sentence.offset + sentence.length]
        assert 0 <= sentence.rank_score <= 1
    assert [s.index for s in summary.all_scores] == list(range(len(summary.all_scores)))
    assert summary.statistics.characters_count == len(text)


@given(texts.filter(str.strip), st.integers(1, 200))
def test_summary_keeps_within_its_characters(summarizer, text, max_characters):
    summary = summarizer.summarize(text, rule=LengthRule(max_characters=max_characters))
    assert len(summary.text) <= max_characters
    assert (summary.sentences == ()) == ("EmptySummary" in [w.code for w in summary.warnings])


def test_same_text_gives_the_same_summary_a_hundred_times(summarizer):
    method = ExplainMethod.OCCLUSION
    first = summarizer.summarize(TEXT, explain=method, return_all_scores=True)
    for _ in range(99):
        assert summarizer.summarize(TEXT, explain=method, return_all_scores=True) == first


def test_concurrent_texts_get_the_summaries_they_get_alone(summarizer):
    documents = [f"{TEXT} Report {i} is out." for i in range(20)]
    alone = [summarizer.summarize(d, return_all_scores=True) for d in documents]
    with ThreadPoolExecutor(8) as pool:
        together = pool.map(
            lambda d: summarizer.summarize(d, return_all_scores=True), documents * 5
        )
        assert list(together) == alone * 5


def test_statistics_count_the_whole_text(summarizer):
    statistics = summarizer.summarize(TEXT).statistics
    encoded = summarizer.bundle.encoder.encode(TEXT)
    assert statistics.characters_count == len(TEXT)
    assert statistics.sentences_count == 5
    assert statistics.tokens_count == len(encoded.token_ids)
    assert not statistics.truncated


@pytest.mark.parametrize("long_input", [LongInput.FULL, LongInput.TRUNCATE])
def test_long_text_is_never_cut_in_silence(summarizer, long_input):
    summary = summarizer.summarize(LONG_TEXT, long_input=long_input, return_all_scores=True)
    (warning,) = summary.warnings
    n_read = len(summary.all_scores)
    assert warning.code == "InputTruncated"
    assert f"in the first {n_read} of 200 sentences" in warning.message
    assert f"up to {MAX_TOKENS} tokens" in warning.message
    assert f"of {summary.statistics.tokens_count} tokens" in warning.message
    assert summary.statistics.truncated
    assert 1 < n_read < summary.statistics.sentences_count
    assert all(s.index < n_read for s in summary.sentences)


def test_ratio_counts_sentences_that_were_not_read(summarizer):
    summary = summarizer.summarize(
        LONG_TEXT, rule=LengthRule(ratio=0.05), redundancy=Redundancy.NONE
    )
    assert len(summary.sentences) == 10


def test_long_text_is_rejected_when_asked_to(summarizer):
    with pytest.raises(InputError, match=r"in the first \d+ of 200 sentences") as caught:
        summarizer.summarize(LONG_TEXT, long_input=LongInput.REJECT)
    assert caught.value.pointer == "/text"


def test_short_text_passes_where_long_ones_are_rejected(summarizer):
    assert summarizer.summarize(TEXT, long_input=LongInput.REJECT) == summarizer.summarize(TEXT)


def test_end_of_a_long_sentence_is_reported_and_quoted(summarizer):
    text = "The river " * 60 + "was high. The mayor left."
    summary = summarizer.summarize(text)
    assert summary.statistics.truncated
    assert [w.code for w in summary.warnings] == ["InputTruncated"]
    assert summary.sentences[0].text.endswith("was high.")


@pytest.mark.parametrize(("text", "got"), [("", "none"), (" \t\r\n\u3000", "only white space")])
def test_text_without_a_sentence_is_refused(summarizer, text, got):
    with pytest.raises(InputError, match=f"expected some text, got {got};") as caught:
        summarizer.summarize(text)
    assert caught.value.pointer == "/text"


def test_budget_below_every_sentence_gives_an_empty_summary_and_says_so(summarizer):
    summary = summarizer.summarize(
        TEXT, rule=LengthRule(max_characters=5), explain=ExplainMethod.OCCLUSION
    )
    assert (summary.text, summary.sentences) == ("", ())
    assert [w.code for w in summary.warnings] == ["EmptySummary"]


@pytest.mark.parametrize("method", ExplainMethod)
def test_explanation_has_a_reason_for_each_chosen_sentence(summarizer, method):
    summary = summarizer.summarize(TEXT, explain=method, top_k=2, order=Order.RANK)
    reasons = summary.explanation.selected
    assert [r.index for r in reasons] == [s.index for s in summary.sentences]
    assert all(len(r.evidence) == 2 for r in reasons)


def test_explanation_does_not_change_the_summary(summarizer):
    plain = summarizer.summarize(TEXT)
    explained = summarizer.summarize(TEXT, explain=ExplainMethod.OCCLUSION)
    assert explained.sentences == plain.sentences


def test_text_encoded_before_gives_the_same_summary(summarizer):
    encoded = summarizer.bundle.encoder.encode(TEXT)
    assert summarizer.summarize(TEXT, encoded=encoded) == summarizer.summarize(TEXT)


def test_verified_bundle_can_be_given_instead_of_its_path(summarizer, tiny_bundle):
    other = Summarizer(Bundle(tiny_bundle))
    assert other.summarize(TEXT) == summarizer.summarize(TEXT)


def test_importing_the_package_loads_no_model_library():
    program = (
        "import sys, service, service.errors\n"
        "loaded = {'onnxruntime', 'nltk', 'tokenizers', 'numpy'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "from service import Summarizer, Summary\n"
        "assert 'onnxruntime' in sys.modules\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_package_has_no_other_names():
    import service

    with pytest.raises(AttributeError, match="'service' has no attribute 'summarise'"):
        service.summarise  # noqa: B018  # looking it up is the test
