"""Facts about encoding."""

import subprocess
import sys

import pytest
from nltk.tokenize.punkt import PunktParameters

from service.errors import ShapeError
from service.text.encode import EncoderSettings, TextEncoder
from service.text.probes import PROBE_TEXTS
from service.text.sentences import SentenceSplitter
from tests.tiny_bundle import tiny_tokenizer


@pytest.fixture(scope="module")
def encoder(tiny_bundle):
    splitter = SentenceSplitter.from_json(tiny_bundle / "punkt.json")
    return TextEncoder(tiny_tokenizer(), splitter, EncoderSettings(4096, 4096))


@pytest.mark.parametrize("text", PROBE_TEXTS)
def test_sentences_are_encoded_as_the_tokenizer_encodes_them_in_a_batch(encoder, text):
    encoded = encoder.encode(text)
    sentences = [
        text[span.start : span.end].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        for span in encoded.spans
    ]
    batch = tiny_tokenizer().encode_batch([f"[CLS] {s} [SEP]" for s in sentences])
    assert encoded.token_ids.tolist() == [i for encoding in batch for i in encoding.ids]
    assert encoded.n_encoded == len(encoded.spans)


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted as Linux lists them")
def test_encoding_starts_no_thread(tiny_bundle):
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from service.inference.bundle import Bundle\n"
        "count = lambda: len(os.listdir('/proc/self/task'))\n"
        "n_before = count()\n"
        "encoder = Bundle(Path(sys.argv[1])).encoder\n"
        "encoder.encode('The storm came. The ferry left. The mayor had a report.')\n"
        "sys.exit(count() - n_before)"
    )
    result = subprocess.run([sys.executable, "-c", code, str(tiny_bundle)])
    assert result.returncode == 0


def test_text_of_more_sentences_than_the_limit_is_cut_there_and_says_so():
    splitter = SentenceSplitter(PunktParameters())
    text = "A storm came. " * 5
    for limit, n_encoded in ((4, 4), (5, 5), (6, 5)):
        settings = EncoderSettings(4096, 64, max_sentences=limit)
        encoded = TextEncoder(tiny_tokenizer(), splitter, settings).encode(text)
        assert (encoded.n_encoded, encoded.is_truncated) == (n_encoded, limit < 5)
        assert len(encoded.spans) == 5


def test_limit_of_no_sentence_is_refused():
    with pytest.raises(ShapeError, match="max_sentences >= 1, got 0"):
        EncoderSettings(512, 64, max_sentences=0)
