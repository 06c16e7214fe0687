"""Facts about remembering the tokens of words: nothing changes but the time."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from service.inference.bundle import Bundle, embedded_bundle_path
from service.text.probes import PROBE_TEXTS
from service.text.sentence_tokenizer import LONGEST_WORD, SentenceTokenizer
from tests.tiny_bundle import tiny_tokenizer

# Whatever a normalizer could join across a space, an added token, white space that is no space.
WORDS = "The storm , ferry. U.S. [CLS] [SEP][SEP] [UNK]x a\u0301 \u0301b ÅΣΣ İi ﬁ 中文 ᄀ ᅡ ᆨ 😀"
SPACES = (" ", "  ", "\n", "\t", "\xa0", "\x1c", "\x85", "\u2028", "\u200b", "\0", "\ud800")
PIECES = [*WORDS.split(), *SPACES]
sentences_of_a_text = st.lists(
    st.lists(st.sampled_from(PIECES) | st.text(st.characters(), max_size=4)).map("".join)
    | st.lists(st.sampled_from(PIECES)).map(" ".join)
)


def readable(text):
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def ids_of_whole(tokenizer, sentences):
    return [tokenizer.encode(readable(s), add_special_tokens=False).ids for s in sentences]


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


@pytest.fixture(scope="module")
def well_read(tokenizer):
    """It keeps what it met in earlier examples, and forgets often."""
    return SentenceTokenizer(tokenizer, n_recent_words=20)


@given(sentences_of_a_text)
@example([])
@example([""])
@example(["The  storm", "The  storm"])
def test_words_have_the_tokens_that_they_have_within_their_sentence(
    tokenizer, well_read, sentences
):
    expected = ids_of_whole(tokenizer, sentences)
    assert SentenceTokenizer(tokenizer).tokenize(sentences) == expected
    assert well_read.tokenize(sentences) == expected


@pytest.mark.skipif(
    not (embedded_bundle_path() / "manifest.json").exists(), reason="no embedded bundle"
)
def test_embedded_tokenizer_is_asked_by_the_word_and_answers_as_by_the_sentence():
    path = embedded_bundle_path()
    tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    by_word = SentenceTokenizer(tokenizer)
    for text in PROBE_TEXTS:
        assert by_word.tokenize([text, text]) == ids_of_whole(tokenizer, [text, text])
    assert by_word.n_remembered > 300
    assert Bundle(path).encoder.fingerprint() == Bundle(path).manifest.fingerprint


def test_a_word_met_before_is_not_asked_for_again():
    tokenizer = tiny_tokenizer()
    by_word = SentenceTokenizer(tokenizer, n_recent_words=3)
    old, recent = by_word.tokenize(["storm ferry"])[0], by_word.tokenize(["mayor river"])[0]
    tokenizer.model = models.WordPiece({"[UNK]": 0}, unk_token="[UNK]")
    assert by_word.tokenize(["storm ferry mayor river road"]) == [[*old, *recent, 0]]


def test_memory_is_bounded_and_keeps_the_words_that_are_met_again(tokenizer):
    by_word = SentenceTokenizer(tokenizer, n_recent_words=100)
    for i in range(200):
        by_word.tokenize([f"The storm number {i}"])
        assert by_word.n_remembered <= 200
    assert by_word.n_remembered > 100
    by_word.tokenize([" ".join(f"{i}" for i in range(10_000))])
    assert by_word.n_remembered <= 200


def test_a_long_word_is_not_kept(tokenizer):
    by_word = SentenceTokenizer(tokenizer)
    by_word.tokenize(["a" * LONGEST_WORD, "b" * (LONGEST_WORD + 1)])
    assert by_word.n_remembered == 1


def test_threads_that_share_a_memory_get_the_tokens_that_they_get_alone(tokenizer):
    by_word = SentenceTokenizer(tokenizer, n_recent_words=30)
    texts = [[f"The storm of {i} and {i + 1}.", f"Report {i % 7} is out."] for i in range(300)]
    expected = [ids_of_whole(tokenizer, sentences) for sentences in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(by_word.tokenize, texts * 3)) == expected * 3


def with_added(content, **how):
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens([AddedToken(content, **how)])
    return tokenizer


def without_pre_tokenizer():
    tokenizer = tiny_tokenizer()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([])
    return tokenizer


def with_another_normalizer():
    tokenizer = tiny_tokenizer()
    tokenizer.normalizer = normalizers.Replace("the storm", "it")
    return tokenizer


def byte_level():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


@pytest.mark.parametrize(
    "tokenizer",
    [
        byte_level(),
        without_pre_tokenizer(),
        with_another_normalizer(),
        with_added("the storm", normalized=False),
        with_added("中", normalized=True),
    ],
    ids=[
        "byte level",
        "no pre-tokenizer",
        "another normalizer",
        "added token with a space",
        "added token that is normalized",
    ],
)
def test_tokenizer_whose_words_may_depend_on_each_other_is_asked_by_the_sentence(tokenizer):
    sentences = ["the storm came", "中中 the  storm"]
    by_sentence = SentenceTokenizer(tokenizer)
    assert by_sentence.tokenize(sentences) == ids_of_whole(tokenizer, sentences)
    assert by_sentence.n_remembered == 0
