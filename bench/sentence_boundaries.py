"""Sentence boundaries: our splitter and pysbd against GUM's gold ones, in the same run.

    python -m bench.sentence_boundaries --data gum.jsonl.xz [--bundle punkt.json] [--repeats 3]
    [--json result.json]

A document's gold sentences are joined by one space, so that line breaks give nothing away. A
boundary is the offset just past the last character of a sentence; the document's last one is left
out, because every splitter finds it. Precision is the share of a splitter's boundaries that are
gold, recall the share of the gold ones that it found, F1 their harmonic mean. Counts are summed
over documents before dividing. Seconds are CPU time for the whole file, the median of the repeats;
the splitters take turns.
"""

from __future__ import annotations

import argparse
import json
import lzma
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pysbd

from service.text.sentences import SentenceSplitter

DEFAULT_PARAMETERS = Path(__file__).parents[1] / "service" / "inference" / "default" / "punkt.json"

FindEnds = Callable[[str], Sequence[int]]


@dataclass(frozen=True)
class Document:
    """A text with gold sentence boundaries.

    Attributes:
        genre: GUM's genre, such as "news".
        text: the gold sentences, joined by one space.
        ends: code points just past each sentence but the last.
    """

    genre: str
    text: str
    ends: frozenset[int]


@dataclass(frozen=True)
class Score:
    """Boundary counts of some documents.

    Attributes:
        n_right: boundaries found that are gold.
        n_found: boundaries found.
        n_gold: gold boundaries.
    """

    n_right: int
    n_found: int
    n_gold: int

    @property
    def precision(self) -> float:
        """Share of the found boundaries that are gold, 0 to 1."""
        return self.n_right / max(1, self.n_found)

    @property
    def recall(self) -> float:
        """Share of the gold boundaries that were found, 0 to 1."""
        return self.n_right / max(1, self.n_gold)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0 to 1."""
        return 2 * self.n_right / max(1, self.n_found + self.n_gold)


def read_documents(path: Path) -> Iterator[Document]:
    """Read documents whose articles hold one gold sentence a line."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            sentences = [s for s in map(str.strip, row["article"].splitlines()) if s]
            ends, position = [], 0
            for sentence in sentences[:-1]:
                ends.append(position + len(sentence))
                position += len(sentence) + 1
            yield Document(row.get("genre", "all"), " ".join(sentences), frozenset(ends))


def pysbd_ends() -> FindEnds:
    """Make a function that finds boundaries by pysbd's character spans.

    pysbd's spans are looked up by the sentence's text, so repeated ones can be off. Then each
    sentence is looked for where the one before it ended; one that is not found there as it stands
    ends where its span says.
    """
    segmenter = pysbd.Segmenter(language="en", clean=False, char_span=True)

    def find_ends(text: str) -> list[int]:
        ends, position = [], 0
        for span in segmenter.segment(text):
            sentence = span.sent.strip()
            start = text.find(sentence, position)
            is_next = start >= 0 and not text[position:start].strip()
            position = start + len(sentence) if is_next else max(position, span.end)
            ends.append(position)
        return ends

    return find_ends


def score(documents: Sequence[Document], ends: Sequence[frozenset[int]]) -> Score:
    """Count the boundaries of some documents."""
    pairs = list(zip(documents, ends, strict=True))
    return Score(
        n_right=sum(len(document.ends & found) for document, found in pairs),
        n_found=sum(len(found) for _, found in pairs),
        n_gold=sum(len(document.ends) for document in documents),
    )


def split_all(
    find_ends: FindEnds, documents: Sequence[Document]
) -> tuple[list[frozenset[int]], float]:
    """Find the boundaries of each document but its last, and say how many CPU seconds it took."""
    start = time.process_time()
    ends = [find_ends(document.text) for document in documents]
    seconds = time.process_time() - start
    inside = [frozenset(found) - {len(d.text)} for found, d in zip(ends, documents, strict=True)]
    return inside, seconds


def main() -> None:
    """Score and time both splitters, print a table."""
    parser = argparse.ArgumentParser(
        description="Sentence boundaries: patsum and pysbd against gold ones."
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="gum.jsonl.xz: an article with one sentence a line"
    )
    parser.add_argument(
        "--bundle", type=Path, default=DEFAULT_PARAMETERS, help="punkt.json of a bundle"
    )
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs of each splitter; the time is their median"
    )
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()

    documents = list(read_documents(options.data))
    splitter = SentenceSplitter.from_json(options.bundle)
    splitters: dict[str, FindEnds] = {
        "patsum": lambda text: [span.end for span in splitter.split(text)],
        "pysbd": pysbd_ends(),
    }
    ends: dict[str, list[frozenset[int]]] = {}
    seconds: dict[str, list[float]] = {name: [] for name in splitters}
    for _ in range(options.repeats):
        for name, find_ends in splitters.items():
            ends[name], spent = split_all(find_ends, documents)
            seconds[name].append(spent)

    figures: dict[str, dict[str, dict[str, float]]] = {}
    for genre in ["all", *sorted({document.genre for document in documents} - {"all"})]:
        chosen = [n for n, document in enumerate(documents) if genre in ("all", document.genre)]
        figures[genre] = {}
        for name in splitters:
            part = score([documents[n] for n in chosen], [ends[name][n] for n in chosen])
            figures[genre][name] = {
                "precision": part.precision,
                "recall": part.recall,
                "f1": part.f1,
            }
            figures[genre][name]["gold_boundaries"] = part.n_gold
    times = {name: statistics.median(values) for name, values in seconds.items()}
    print_table(figures, times)
    if options.json:
        result = {"seconds": times, "documents": len(documents), "boundaries": figures}
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def print_table(figures: dict[str, dict[str, dict[str, float]]], times: dict[str, float]) -> None:
    """Print precision, recall and F1 per genre, then the times."""
    names = list(times)
    print(
        f"{'genre':14}{'gold':>7}"
        + "".join(f"{name + ' P':>11}{'R':>8}{'F1':>8}" for name in names)
    )
    for genre, by_name in figures.items():
        line = f"{genre:14}{by_name[names[0]]['gold_boundaries']:7}"
        for name in names:
            part = by_name[name]
            line += f"{part['precision']:11.4f}{part['recall']:8.4f}{part['f1']:8.4f}"
        print(line)
    for name, seconds in times.items():
        print(f"{name}: {seconds:.3f} s")
    print(f"{names[0]} is {times[names[1]] / times[names[0]]:.1f} times as fast")


if __name__ == "__main__":
    main()
