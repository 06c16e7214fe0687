"""The systems that are compared: each takes a raw article and gives three of its sentences.

All of them get the same sentences, cut by the service's splitter inside each one's time, and all
choose three, which are given in the order of the article. Each is made by a function that raises
ModuleNotFoundError where its package is not installed.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.target import N_SENTENCES
from service.inference.summarizer import Summarizer
from service.text.select import LengthRule
from service.text.sentences import SentenceSplitter

Summarize = Callable[[str], list[str]]


def patsum(bundle: Path) -> Summarize:
    """Ours, the whole way: text, sentences, tokens, scores, trigram blocking.

    On one thread, as the service works on a document: a second one does not help an article.
    """
    summarizer = Summarizer(bundle)
    rule = LengthRule(sentence_count=N_SENTENCES)
    return lambda text: [s.text for s in summarizer.summarize(text, rule=rule).sentences]


def lead(splitter: SentenceSplitter) -> Summarize:
    """The first three sentences; hard to beat on news."""
    return lambda text: _split(splitter, text)[:N_SENTENCES]


def sumy(splitter: SentenceSplitter, method: str) -> Summarize:
    """One of sumy's rankers, with its English stemmer and stop words, as its README sets them up.

    sumy's tokenizer wants nltk data that has to be downloaded; in its place sentences are cut by
    our splitter and words by nltk's Treebank rules. Which words count is sumy's own choice.

    Args:
        splitter: finds the sentences.
        method: "TextRank", "LexRank" or "LSA".
    """
    from nltk.tokenize import NLTKWordTokenizer
    from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence
    from sumy.nlp.stemmers import Stemmer
    from sumy.nlp.tokenizers import Tokenizer
    from sumy.summarizers.lex_rank import LexRankSummarizer
    from sumy.summarizers.lsa import LsaSummarizer
    from sumy.summarizers.text_rank import TextRankSummarizer
    from sumy.utils import get_stop_words

    class WordsOnly(Tokenizer):  # type: ignore[misc]  # sumy has no types
        """sumy's tokenizer without the parts that need a download."""

        def _get_sentence_tokenizer(self, language: str) -> None:
            return None

        def _get_word_tokenizer(self, language: str) -> NLTKWordTokenizer:
            return NLTKWordTokenizer()

    kinds = {"TextRank": TextRankSummarizer, "LexRank": LexRankSummarizer, "LSA": LsaSummarizer}
    rank = kinds[method](Stemmer("english"))
    rank.stop_words = get_stop_words("english")
    tokenizer = WordsOnly("english")

    def summarize(text: str) -> list[str]:
        sentences = [Sentence(sentence, tokenizer) for sentence in _split(splitter, text)]
        document = ObjectDocumentModel([Paragraph(sentences)])
        return [str(sentence) for sentence in rank(document, N_SENTENCES)]

    return summarize


def bert_extractive(splitter: SentenceSplitter, encoder: Path) -> Summarize:
    """bert-extractive-summarizer over an encoder from a local folder, else as it comes.

    Args:
        splitter: finds the sentences, in place of spaCy's rules; the package's own limits of 40 to
            600 characters a sentence stay.
        encoder: folder of a BERT-like model with its tokenizer.
    """
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(str(encoder), output_hidden_states=True)
    model = AutoModel.from_pretrained(str(encoder), config=config).eval()
    return _cluster(splitter, model, encoder)


def bert_extractive_large_random(splitter: SentenceSplitter, encoder: Path) -> Summarize:
    """bert-extractive-summarizer at its default size, BERT-large, with random weights: time only.

    Args:
        splitter: finds the sentences.
        encoder: folder whose tokenizer is used; its vocabulary is that of bert-large-uncased.
    """
    from transformers import BertConfig, BertModel

    config = BertConfig(  # type: ignore[no-untyped-call]
        hidden_size=1024,
        num_hidden_layers=24,
        num_attention_heads=16,
        intermediate_size=4096,
        output_hidden_states=True,
    )
    model: Any = BertModel(config)  # type: ignore[no-untyped-call]
    return _cluster(splitter, model.eval(), encoder)


def _cluster(splitter: SentenceSplitter, model: Any, encoder: Path) -> Summarize:
    from summarizer import Summarizer as BertSummarizer
    from summarizer.text_processors.sentence_handler import SentenceHandler
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(encoder))  # type: ignore[no-untyped-call]

    class OurSentences(SentenceHandler):  # type: ignore[misc]  # the package has no types
        """Our splitter where the package asks for sentences."""

        def process(self, body: str, min_length: int = 40, max_length: int = 600) -> list[str]:
            return [s for s in _split(splitter, body) if min_length < len(s) < max_length]

    summarizer = BertSummarizer(
        custom_model=model, custom_tokenizer=tokenizer, sentence_handler=OurSentences()
    )

    def summarize(text: str) -> list[str]:
        chosen: Sequence[str] = summarizer(text, num_sentences=N_SENTENCES, return_as_list=True)
        return list(chosen)

    return summarize


def _split(splitter: SentenceSplitter, text: str) -> list[str]:
    return [text[span.start : span.end] for span in splitter.split(text)]
