"""The warm-up: every article once, which also shows which of them the target refuses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.outcome import OK
from bench.target import Target
from service.errors import TargetError

_REFUSED = (413, 422)


@dataclass(frozen=True)
class Accepted:
    """The texts that a run can use.

    Attributes:
        texts: that were answered with 200, at least one.
        n_left_out: texts that were refused for what they are: too long, or nothing to summarize.
        why: the first refusal, in words; empty where there is none.
    """

    texts: list[str]
    n_left_out: int
    why: str


async def warm_up(
    target: Target, texts: Sequence[str], on_answer: Callable[[], object]
) -> Accepted:
    """Send every text once, one after the other; nothing of it is counted as a measurement.

    Args:
        target: what answers.
        texts: at least one.
        on_answer: called after each answer.

    Raises:
        TargetError: every text was refused, or one failed for another reason.
    """
    accepted, refusals = [], []
    for text in texts:
        answer = await target.summarize(text)
        on_answer()
        if answer.status == OK:
            accepted.append(text)
        elif answer.status in _REFUSED:
            refusals.append(f"{answer.status} {answer.detail}".strip())
        else:
            got = f"{answer.status or 'no answer'} {answer.detail}".strip()
            raise TargetError(
                f"expected 200 from the target during the warm-up, got {got}; see its log, or "
                "raise --timeout"
            )
    if not accepted:
        raise TargetError(
            f"expected articles that the target takes, it refused all {len(texts)}: {refusals[0]}; "
            "give shorter ones (--words), or raise the service's limits"
        )
    return Accepted(accepted, len(refusals), refusals[0] if refusals else "")
