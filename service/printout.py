"""How summaries and the service's description look on a terminal and in a pipe."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from service.api.info import ServiceInfo
from service.inference.explain import SelectedReason
from service.inference.summarizer import Summary


def print_summary(summary: Summary, is_detailed: bool) -> Iterator[str]:
    """Write a summary as lines.

    Args:
        summary: with or without an explanation.
        is_detailed: with score, offsets and index before each sentence, as people at a terminal
            want it; else a sentence a line, as the next program wants it.
    """
    explanation = summary.explanation
    reasons = {reason.index: reason for reason in explanation.selected} if explanation else {}
    for sentence in summary.sentences:
        text = " ".join(sentence.text.split())
        if is_detailed:
            end = sentence.offset + sentence.length
            place = f"[{sentence.offset}:{end}]"
            yield f"{sentence.rank_score:.3f}  {place:>13}  #{sentence.index:<3} {text}"
        else:
            yield text
        if sentence.index in reasons:
            yield from _print_reason(reasons[sentence.index])
    if explanation:
        yield from (f"note: {note}" for note in explanation.notes)
        if explanation.faithfulness:
            measured = _describe_faithfulness(explanation.faithfulness)
            yield f"faithfulness of attention: {measured}"


def print_info(info: ServiceInfo) -> Iterator[str]:
    """Write the description of a service as lines."""
    model = info.model
    yield f"model     {model.version}"
    heads = " and ".join(str(len(row)) for row in model.patterns)
    yield f"          {model.layers} layers with {heads} heads, width {model.width}"
    yield f"          {model.weights} weights, {', '.join(model.languages)}, {model.license}"
    yield f"reads     {model.max_tokens} tokens and {model.max_sentences} sentences a text,"
    yield f"          {model.max_sentence_tokens} tokens a sentence"
    counts = ", ".join(str(count) for count in model.default_length.sentence_counts)
    by_text = ", whichever is worth most in the text" if model.default_length.weights else ""
    yield f"chooses   {counts} sentences{by_text}, when not told how many"
    yield "patterns  (a row a layer, a column a head)"
    width = max((len(p or "free") for layer in model.patterns for p in layer), default=0)
    for i, layer in enumerate(model.patterns):
        yield f"  layer {i}  " + "  ".join(f"{pattern or 'free':<{width}}" for pattern in layer)
    if model.plan_reason:
        yield from textwrap.wrap(
            model.plan_reason, 100, initial_indent="why       ", subsequent_indent=" " * 10
        )
    for placed in model.placements:
        found = f"  layer {placed.layer}, head {placed.head}: {placed.pattern}, as in the teacher's"
        found += f" layer {placed.teacher_layer}, head {placed.teacher_head}. {placed.note}"
        yield found.rstrip()
    yield "limits"
    yield from (f"  {name:<24}{value}" for name, value in info.limits.model_dump().items())
    yield "versions"
    yield from (f"  {name:<24}{value}" for name, value in info.versions.items())
    cpu = info.cpu
    yield f"cpu       {cpu.model}, {cpu.usable_cpus} usable: {' '.join(cpu.features)}"
    yield f"quality{'' if info.quality else '   not measured'}"
    yield from (f"  {_describe_quality(entry)}" for entry in info.quality)
    yield f"faithful  {_describe_faithfulness(info.faithfulness)}"


def _describe_quality(entry: Mapping[str, Any]) -> str:
    """One measurement of `patsum record` on a line; of anything else, all that there is."""
    try:
        low, high = entry["interval"]["rouge1"]
        gain = "{:+.2f} [{:+.2f}, {:+.2f}]".format(*entry["difference"]["rouge1"])
        return (
            f"{entry['data']}, {entry['n']} documents: ROUGE-1 {entry['rouge1']:.2f} "
            f"[{low:.2f}, {high:.2f}], Lead-3 {gain}"
        )
    except (KeyError, TypeError, ValueError):
        return json.dumps(entry)


def _describe_faithfulness(measured: Mapping[str, float] | None) -> str:
    if not measured:
        return "not measured"
    return (
        f"comprehensiveness {measured['comprehensiveness']:.3f}, "
        f"sufficiency {measured['sufficiency']:.3f}, Kendall tau with leaving one sentence out "
        f"{measured['leaveOneOutKendallTau']:.3f}, over {measured['n']:.0f} documents"
    )


def _print_reason(reason: SelectedReason) -> Iterator[str]:
    evidence = ", ".join(f"#{e.index} ({e.weight:.3f})" for e in reason.evidence)
    patterns = ", ".join(f"{p.name} {p.share:.2f}" for p in reason.patterns)
    yield f"       evidence: {evidence or 'none'}"
    if patterns:
        yield f"       patterns: {patterns}"
