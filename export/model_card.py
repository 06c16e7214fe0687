"""The model card: what a bundle's manifest says, as a page for people."""

from collections.abc import Iterator
from typing import Any

_METRICS = (("rouge1", "R-1"), ("rouge2", "R-2"), ("rougeL", "R-L"))


def describe_model(manifest: dict[str, Any]) -> str:
    """Write the card of a bundle.

    Args:
        manifest: fields of its manifest.json.

    Returns:
        Markdown.
    """
    return "\n".join(_lines(manifest)) + "\n"


def _lines(manifest: dict[str, Any]) -> Iterator[str]:
    model, training = manifest["model"], manifest["training"]
    size = sum(entry["bytes"] for entry in manifest["files"].values()) / 1e6
    yield f"# {manifest['name']}"
    yield ""
    yield (
        f"An extractive summarizer for news in {', '.join(manifest['languages'])}: "
        f"{model['layers']} token layers of width {model['width']} with "
        f"{' and '.join(str(len(row)) for row in model['patterns'])} heads, "
        f"{model['document_layers']} over sentences, {model['weights']}, "
        f"{size:.1f} MB in all. "
        f"Made by patsum on {manifest['created']}; {manifest['license']}."
    )
    yield ""
    yield f"- model.onnx sha256 `{manifest['files']['model.onnx']['sha256']}`"
    yield f"- reads at most {manifest['encoder']['max_tokens']} tokens of a document"
    for stage in ("teacher", "student"):
        if "documents" in training.get(stage, {}):
            yield (
                f"- {stage}: was shown {training[stage]['documents']:,} documents, "
                f"R-1 {training[stage]['rouge1']:.2f} on {training[stage]['validation']['data']}"
            )
    for key, value in sorted(training.items()):
        if not isinstance(value, dict):
            yield f"- {key.replace('_', ' ')}: {value}"
    yield ""
    yield from _patterns(model)
    yield from _default_length(manifest.get("default_length"))
    yield from _quality(manifest["quality"])
    yield from _faithfulness(manifest["faithfulness"])
    yield "## What it is not for"
    yield ""
    texts = training.get("texts", "the texts above")
    yield (
        f"It quotes; it does not rewrite, check facts or judge. It learned from {texts}, so it "
        "prefers what such texts put first; other genres and languages are untested ground. "
        "Attention shows where heads looked, not why a sentence was chosen."
    )


def _patterns(model: dict[str, Any]) -> Iterator[str]:
    yield "## Which head may look where"
    yield ""
    yield "| layer | " + " | ".join(str(head) for head in range(model["heads"])) + " |"
    yield "|---" * (model["heads"] + 1) + "|"
    for number, row in enumerate(model["patterns"]):
        cells = [(name or "free").replace("_token", "").replace("_sentence", "") for name in row]
        cells += [""] * (model["heads"] - len(row))
        yield f"| {number} | " + " | ".join(cells) + " |"
    yield ""
    yield (
        "matching: other copies of the same token; intra: the same sentence; "
        "previous, next: the neighbour. "
        f"A token without a second copy looks at {model['unmatched']}."
    )
    if model.get("is_last_for_cls"):
        yield "The last layer is computed for each sentence's first token alone."
    yield ""
    if model.get("plan_reason"):
        yield f"Why so: {model['plan_reason']}"
        yield ""
    yield from _placements(model.get("placements", []))


def _placements(placements: list[dict[str, Any]]) -> Iterator[str]:
    """What a person saw in the teacher's heads that these heads began as."""
    if not placements:
        return
    yield "A person accepted these in the teacher:"
    yield ""
    yield "| head | pattern | teacher's head | GR [95 %] | lift | documents | note |"
    yield "|---|---|---|---|---|---|---|"
    for row in placements:
        yield (
            f"| {row['layer']}.{row['head']} | {row['pattern']} "
            f"| {row['teacher_layer']}.{row['teacher_head']} | {_measured(row.get('evidence'))} "
            f"| {' '.join(row.get('note', '').split()).replace('|', '/')} |"
        )
    yield ""


def _measured(evidence: dict[str, Any] | None) -> str:
    if evidence is None:
        return "not measured | | "
    return "{relevance:.3f} [{low:.3f}, {high:.3f}] | {lift:.1f} | {n_documents}".format(**evidence)


def _default_length(entry: dict[str, Any] | None) -> Iterator[str]:
    if entry is None:
        return
    yield "## How many sentences"
    yield ""
    yield (
        "Without a length rule a summary has two, three or four sentences, whichever the sum of "
        "these features times their weights says is worth most in the text "
        f"(fitted on {entry['n']} articles of {entry['data']}):"
    )
    yield ""
    for name, weight in entry["weights"].items():
        yield f"- {name.replace('_', ' ')}: {weight:+g}"
    yield ""
    gains = ", ".join(
        "{} {:+.2f} [{:+.2f}, {:+.2f}]".format(title, *entry["gain"][key])
        for key, title in _METRICS
    )
    yield (
        f"Gain over always three, with weights fitted on the other half of the articles: {gains}. "
        f"`{entry['command']}`"
    )
    yield ""


def _quality(reports: list[dict[str, Any]]) -> Iterator[str]:
    if not reports:
        return
    yield "## Quality"
    yield ""
    yield "ROUGE F1 with 95 % bootstrap intervals; the difference is paired over documents."
    yield ""
    yield "| data | n | system | R-1 | R-2 | R-L |"
    yield "|---|---|---|---|---|---|"
    for report in reports:
        lead = report["lead3"]
        where = f"| {report['data']} | {report['n']} "
        yield where + "| this model | " + _cells(report) + " |"
        if "top3" in report:
            yield where + "| this model, always three sentences | " + _cells(report["top3"]) + " |"
        yield where + "| Lead-3 | " + _cells(lead) + " |"
        yield where + "| oracle | " + _cells(report["oracle"]) + " |"
        difference = report["difference"]
        yield (
            where
            + "| this model - Lead-3 | "
            + " | ".join(
                "{:+.2f} [{:+.2f}, {:+.2f}]".format(*difference[key]) for key, _ in _METRICS
            )
            + " |"
        )
    yield ""
    for report in reports:
        yield f"- `{report['command']}` on `{report['model']}`"
    yield ""


def _cells(scores: dict[str, Any]) -> str:
    return " | ".join(
        "{:.2f} [{:.2f}, {:.2f}]".format(scores[key], *scores["interval"][key])
        for key, _ in _METRICS
    )


def _faithfulness(measured: dict[str, Any] | None) -> Iterator[str]:
    if measured is None:
        return
    yield "## Faithfulness of the attention evidence"
    yield ""
    yield (
        f"On {measured['n']} documents: comprehensiveness "
        f"{measured['comprehensiveness']:.4f}, sufficiency {measured['sufficiency']:.4f}, "
        "Kendall tau with leaving one sentence out "
        f"{measured['leaveOneOutKendallTau']:+.3f}."
    )
    yield ""
