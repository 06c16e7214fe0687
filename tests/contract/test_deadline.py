"""Facts about time: past the deadline the answer is 504, and the work on it ends.

Broken variants that these tests were seen to catch: work without a deadline; one lane for
summaries and occlusions.
"""

import json

import httpx
import pytest

from tests.server_process import ServerProcess, make_text

SLOW = {"text": make_text(0, 300), "explain": {"method": "occlusion"}}


@pytest.fixture(scope="module")
def server():
    with ServerProcess(deadline_s=0.7, max_occluded_sentences=1000) as server:
        yield server


def test_work_past_the_deadline_is_504_and_is_ended(server):
    response = httpx.post(f"{server.url}/v1/explain", json=SLOW, timeout=60)
    assert response.status_code == 504
    assert response.headers["content-type"] == "application/problem+json"
    assert "within 0.7 s, was still at work" in response.json()["detail"]
    gauges = server.gauges()
    assert gauges["patsum_rejections_total", "deadline_work"] == 1
    assert gauges["patsum_running_documents", "occlusion"] == 0


def test_shorter_request_timeout_wins_and_a_longer_one_does_not(server):
    for sent, shown in (("0.2", "0.2"), ("60", "0.7")):
        headers = {"Request-Timeout": sent}
        response = httpx.post(f"{server.url}/v1/explain", json=SLOW, headers=headers, timeout=60)
        assert response.status_code == 504
        assert f"within {shown} s" in response.json()["detail"]


@pytest.mark.parametrize("sent", ["0", "-1", "soon", "nan", "inf", "", "1, 2", "1_0", "٣"])
def test_request_timeout_that_is_no_positive_number_is_400(server, sent):
    headers = {"Request-Timeout": sent.encode()}
    response = httpx.post(f"{server.url}/v1/summarize", json={"text": "A storm."}, headers=headers)
    assert response.status_code == 400
    assert "Request-Timeout" in response.json()["detail"]


def test_stream_past_the_deadline_has_a_line_for_every_document(server):
    documents = [{"id": f"d{i}", "text": SLOW["text"]} for i in range(4)]
    body = {"documents": documents, "explain": SLOW["explain"]}
    headers = {"Accept": "application/x-ndjson"}
    response = httpx.post(f"{server.url}/v1/explain", json=body, headers=headers, timeout=60)
    assert response.status_code == 200
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [line["error"]["id"] for line in lines] == ["d0", "d1", "d2", "d3"]
    assert {line["error"]["error"]["code"] for line in lines} == {"DeadlineExceeded"}


def test_slow_occlusion_does_not_stand_before_summaries():
    with ServerProcess(workers=1, deadline_s=60, max_occluded_sentences=1000) as server:
        timeout = httpx.Timeout(60, read=0.3)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/v1/explain", json=SLOW, timeout=timeout)
        slow = httpx.Client(base_url=server.url, timeout=60)
        with slow.stream(
            "POST", "/v1/explain", json=SLOW, headers={"Accept": "application/x-ndjson"}
        ):
            summary = httpx.post(f"{server.url}/v1/summarize", json={"text": make_text(1, 5)})
            assert server.gauges()["patsum_running_documents", "occlusion"] == 1
        slow.close()
    assert summary.status_code == 200
