"""Facts about memory: an hour of texts of all lengths leaves the process as large as it was.

Broken variant that this test was seen to catch: a list that keeps every answer.
"""

import os
from time import monotonic

import httpx
import pytest

from tests.server_process import ServerProcess, make_text

SOAK_S = float(os.environ.get("SOAK_MEMORY_S", "3600"))
WARM_UP_S = min(300.0, SOAK_S / 4)
ALLOWED_GROWTH = 1.1


@pytest.mark.slow
def test_memory_is_flat_over_mixed_lengths():
    lengths = [3, 110, 17, 60, 1, 90, 35]
    peaks = {"early": 0.0, "late": 0.0}
    with ServerProcess() as server, httpx.Client(base_url=server.url, timeout=60) as client:
        began = monotonic()
        number = 0
        while (passed := monotonic() - began) < SOAK_S:
            body = {"text": make_text(number, lengths[number % len(lengths)])}
            assert client.post("/v1/summarize", json=body).status_code == 200
            number += 1
            if number % len(lengths) == 0:  # every length has been there once more
                phase = "early" if passed < WARM_UP_S else "late"
                peaks[phase] = max(peaks[phase], server.resident_bytes())
    assert 0 < peaks["late"] < peaks["early"] * ALLOWED_GROWTH, peaks
