"""The front: who is beaten by nobody, and only what was measured alike is compared."""

import json
import shutil

import pytest
from click.testing import CliRunner

from bench.front import find_front, front
from service.errors import InputError


def test_a_point_that_another_beats_in_cost_and_worth_is_behind_the_front():
    points = [(1.0, 40.0), (2.0, 42.0), (3.0, 41.0), (2.0, 41.5), (2.0, 42.0)]
    assert find_front(points) == [True, True, False, False, True]


@pytest.fixture
def make_bundle(tiny_bundle, tmp_path):
    def make(name, rouge1, data="val"):
        path = shutil.copytree(tiny_bundle, tmp_path / name)
        fields = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        report = {"data": data, "n": 9, "command": "patsum evaluate", "rouge1": rouge1}
        report["difference"] = {"rouge1": [rouge1 - 40, 0.5, 2.5]}
        fields |= {"name": name, "quality": [report]}
        (path / "manifest.json").write_text(json.dumps(fields), encoding="utf-8")
        return str(path)

    return make


def run(*arguments):
    return CliRunner().invoke(
        front, [*arguments, "--tokens", "16,24", "--runs", "3"], catch_exceptions=False
    )


def test_command_lists_the_bundles_with_quality_and_time(make_bundle, tmp_path):
    paths = [make_bundle("a", 41.5), make_bundle("b", 42.25)]
    outputs = ["--json", str(tmp_path / "front.json"), "--plot", str(tmp_path / "front.svg")]
    result = run(*paths, *outputs)
    assert "+2.25 [0.50, 2.50]" in result.output
    places = json.loads((tmp_path / "front.json").read_text(encoding="utf-8"))["places"]
    assert [place["name"] for place in places] == ["a", "b"]
    assert places[1]["is_on_front"]
    assert all(place["ms"]["16"] > 0 for place in places)
    assert ">b</text>" in (tmp_path / "front.svg").read_text(encoding="utf-8")


def test_bundles_measured_on_different_data_are_not_compared(make_bundle):
    with pytest.raises(InputError, match="expected quality on the same data"):
        run(make_bundle("a", 41.5), make_bundle("b", 42.0, data="test"))


def test_a_bundle_without_recorded_quality_is_refused(make_bundle, tmp_path):
    paths = [make_bundle("a", 41.5), make_bundle("b", 42.0)]
    manifest = tmp_path / "b" / "manifest.json"
    fields = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps(fields | {"quality": []}), encoding="utf-8")
    with pytest.raises(InputError, match="patsum record"):
        run(*paths)
