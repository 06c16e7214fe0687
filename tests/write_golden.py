"""Writes tests/golden.json anew: for when an answer changes on purpose.

python tests/write_golden.py
"""

import json
from pathlib import Path

from service import Summarizer

TEXTS = (
    "One.",
    "no capital letters here. and none here either. the third one ends without a stop",
    "Rain fell.\nTrains stopped.\n\nBuses ran on. The mayor, Mr. J. K. Lind, walked to work.",
    "MARKETS AT NOON\n- oil: up 0.3%\n- gold: flat\nShares rose, led by banks. Nobody knew why.",
    "“It works,” she said. “Does it?” he asked. It did 😀. Nobody cheered. All went home at 6 p.m.",
    " ".join(
        f"On day {day} the river rose by {day % 7} centimetres, and {day * 3} families left town."
        for day in range(1, 41)
    ),
)


def golden_row(summarizer: Summarizer, text: str) -> dict[str, object]:
    """What one text becomes on its way through the bundle."""
    encoded = summarizer.bundle.encoder.encode(text)
    summary = summarizer.summarize(text)
    return {
        "text": text,
        "token_ids": encoded.token_ids.tolist(),
        "sentence_ids": encoded.sentence_ids.tolist(),
        "spans": [list(span) for span in encoded.spans],
        "chosen": [sentence.index for sentence in summary.sentences],
    }


if __name__ == "__main__":
    summarizer = Summarizer()
    rows = [golden_row(summarizer, text) for text in TEXTS]
    Path(__file__).with_name("golden.json").write_text(json.dumps(rows, indent=1) + "\n")
