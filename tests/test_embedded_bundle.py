"""The embedded bundle: what every installation answers with, on a real text."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from service import Summarizer
from service.cli import cli
from service.inference.bundle import embedded_bundle_path
from service.text.select import LengthRule

GOLDEN = Path(__file__).with_name("golden.json")
MAX_BYTES = 20_000_000

ARTICLE = (
    "LISTON (Wire) - The harbour of Port Ellin reopened on Monday after six weeks of repairs. "
    "Fishing boats left before dawn, and the first ferry followed at nine. “We feared for the "
    "season,” said Dr. A. Holm, who runs the co-op. The January storm had torn away forty metres "
    "of the northern breakwater. Engineers filled the gap with 3,000 concrete blocks, some brought "
    "from as far as Norway. The work cost £2.1m, a third more than planned. Mayor Ida Strand "
    "called it money well spent 😀. Some shop owners disagree: they lost the whole spring season. "
    "The council will decide in June whether to pay them damages"
)


@pytest.fixture(scope="module")
def summarizer():
    return Summarizer()


def answer(summarizer, text, **options):
    """Everything of a summary that a caller can see, but the time it took, as one string."""
    return repr(replace(summarizer.summarize(text, **options), stages=None))


def test_the_bundle_is_at_most_20_megabytes():
    files = [path for path in embedded_bundle_path().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES


def test_every_head_carries_a_pattern_and_the_last_layer_each_of_them(summarizer):
    model = summarizer.bundle.manifest.model
    assert [len(row) for row in model.patterns] == [4, 7]
    assert all(head in model.pattern_names for row in model.patterns for head in row)
    assert set(model.patterns[-1]) == set(model.pattern_names)
    assert model.is_last_for_cls


def test_the_readme_shows_what_the_bundle_answers(summarizer):
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    shown = re.search(r'"text": "(The harbour of Port Ellin.*?)",\n', readme)
    assert shown is not None
    rule = LengthRule(sentence_count=2)
    summary = summarizer.summarize(shown[1], rule=rule, explain="attention", top_k=2)
    assert f'"modelVersion": "{summarizer.bundle.version}"' in readme
    scores, weights, shares = (
        [float(number) for number in re.findall(rf'"{name}": (0\.\d{{6}})', readme)]
        for name in ("rankScore", "weight", "share")
    )
    reason = summary.explanation.selected[0]
    # To four digits: floats may differ between processors in the last of six.
    assert scores == pytest.approx([s.rank_score for s in summary.sentences], abs=1e-4)
    assert weights == pytest.approx([e.weight for e in reason.evidence], abs=1e-4)
    assert shares == pytest.approx([p.share for p in reason.patterns[:2]], abs=1e-4)


def test_info_tells_quality_and_faithfulness_in_words(summarizer):
    shown = CliRunner().invoke(cli, ["info"], catch_exceptions=False).stdout
    for entry in summarizer.bundle.manifest.quality:
        line = f"  {entry.data}, {entry.n} documents: ROUGE-1 {entry.rouge1:.2f} ["
        assert line in shown
    measured = summarizer.bundle.manifest.faithfulness
    assert f"faithful  comprehensiveness {measured.comprehensiveness:.3f}, " in shown


def test_quality_on_validation_and_test_is_recorded(summarizer):
    quality = summarizer.bundle.manifest.quality
    assert [(entry.data, entry.n) for entry in quality] == [
        ("val.jsonl.xz", 4365),
        ("test-sample.jsonl.xz", 2000),
    ]
    assert all(entry.command.startswith("patsum evaluate") for entry in quality)


def test_the_same_text_gives_the_same_answer_a_hundred_times_and_beside_eight_others(summarizer):
    alone = {answer(summarizer, ARTICLE, explain="attention") for _ in range(100)}
    texts = [ARTICLE] + [ARTICLE[40 * n :] for n in range(1, 9)]
    with ThreadPoolExecutor(9) as pool:
        crowded = list(
            pool.map(lambda text: answer(summarizer, text, explain="attention"), texts * 10)
        )
    assert len(alone) == 1
    assert set(crowded[:: len(texts)]) == alone


def test_golden_texts_give_the_golden_ids_spans_and_sentences(summarizer):
    """Changed on purpose only: `python tests/write_golden.py` writes it anew."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert len(golden) >= 6
    for row in golden:
        encoded = summarizer.bundle.encoder.encode(row["text"])
        assert encoded.token_ids.tolist() == row["token_ids"]
        assert encoded.sentence_ids.tolist() == row["sentence_ids"]
        assert [list(span) for span in encoded.spans] == row["spans"]
        summary = summarizer.summarize(row["text"])
        assert [sentence.index for sentence in summary.sentences] == row["chosen"]
