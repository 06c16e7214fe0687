"""Facts about the Accept header."""

import pytest

from service.api.accept import choose_media_type
from service.api.problems import ProblemError

OFFERED = ("application/json", "application/x-ndjson")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ([], "application/json"),
        (["*/*"], "application/json"),
        (["application/*"], "application/json"),
        (["application/x-ndjson"], "application/x-ndjson"),
        (["application/x-ndjson, application/json"], "application/json"),
        (["application/json;q=0.5, application/x-ndjson"], "application/x-ndjson"),
        (["application/json;q=0.5", "application/X-NDJSON;q=0.6"], "application/x-ndjson"),
        (["*/*, application/json;q=0"], "application/x-ndjson"),
        (["text/html, */*;q=0.1"], "application/json"),
    ],
)
def test_best_liked_of_the_offered_types_is_chosen(accept, chosen):
    assert choose_media_type(accept, OFFERED) == chosen


@pytest.mark.parametrize(
    "accept", ["text/html", "application/json;q=0", "*/*;q=0", "application/json;q=much"]
)
def test_nothing_liked_is_406(accept):
    with pytest.raises(ProblemError, match="application/json or application/x-ndjson") as refusal:
        choose_media_type([accept], OFFERED)
    assert refusal.value.status_code == 406
