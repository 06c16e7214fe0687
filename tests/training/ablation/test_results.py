"""The comparison: means over seeds, pairs by document, and a plot that says the same."""

import json
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from training.ablation.measure import Measured, read_measured, write_measured
from training.ablation.plot import draw_differences
from training.ablation.results import Provenance, compare
from training.evaluate.significance import paired_differences

MADE_BY = Provenance("mine", "student", (1, 2), "3f2a" * 16, "t", "v (40 documents)", "patsum …")
SVG = "{http://www.w3.org/2000/svg}"


def figures(shift, seed):
    generator = np.random.default_rng(seed)
    blocked = 40 + shift + generator.normal(size=(40, 3))
    return Measured(blocked, blocked - 0.5)


@pytest.fixture
def measured():
    return {
        "patterned": [figures(3, 1), figures(3, 2)],
        "free": [figures(0, 3), figures(0, 4)],
    }


@pytest.fixture
def results(measured):
    return compare(measured, {"Lead-3": figures(-5, 5)}, "free", MADE_BY)


def test_difference_is_the_paired_bootstrap_of_means_over_seeds(measured, results):
    lead, patterned, free = results.rows
    ours, theirs = (
        (one.blocked + two.blocked) / 2 for one, two in (measured["patterned"], measured["free"])
    )
    assert list(patterned.difference) == paired_differences(ours, theirs)
    assert free.difference == ()
    assert lead.difference[0].estimate < -4
    assert (lead.is_baseline, patterned.is_baseline) == (True, False)


def test_row_tells_seeds_documents_and_blocking_apart(measured, results):
    row = results.rows[1]
    assert row.by_seed == pytest.approx([m.blocked[:, 0].mean() for m in measured["patterned"]])
    assert len(row.by_document) == 40
    assert np.mean(row.by_document) == pytest.approx(row.rouge[0].estimate)
    assert row.unblocked[0].estimate == pytest.approx(row.rouge[0].estimate - 0.5)
    assert [interval.low for interval in row.blocking] == pytest.approx([0.5] * 3)


def test_while_seeds_are_missing_pairs_are_of_the_same_seeds(measured):
    measured["free"] = measured["free"][:1]
    row = compare(measured, {}, "free", MADE_BY).rows[0]
    first = paired_differences(measured["patterned"][0].blocked, measured["free"][0].blocked)
    assert list(row.difference) == first


def test_without_the_reference_there_is_no_difference(measured):
    del measured["free"]
    results = compare(measured, {}, "free", MADE_BY)
    assert results.rows[0].difference == ()
    ET.fromstring(draw_differences(results))


def test_file_holds_what_the_table_shows(results):
    table = json.loads(json.dumps(results.to_json()))
    assert (table["n"], table["reference"], table["seeds"]) == (40, "free", [1, 2])
    row = table["rows"][1]
    assert row["difference"]["rouge1"]["estimate"] == results.rows[1].difference[0].estimate
    assert table["rows"][2]["difference"] == {}
    text = results.to_text()
    assert f"{row['difference']['rouge1']['estimate']:+.2f} [" in text
    assert all(name in text for name in ("Lead-3", "patterned", "free"))


def test_plot_has_a_mark_a_difference_at_its_place(results):
    root = ET.fromstring(draw_differences(results))
    circles = root.findall(f"{SVG}circle")
    texts = [text.text for text in root.findall(f"{SVG}text")]
    zero = next(line for line in root.findall(f"{SVG}line") if line.get("class") == "zero")
    lead, patterned = (float(circle.get("cx")) for circle in circles)
    assert lead < float(zero.get("x1")) < patterned
    assert [circle.get("class") for circle in circles] == ["", ""]
    assert {"Lead-3", "patterned"} < set(texts)


def test_plot_leaves_open_what_may_be_zero(measured):
    measured["patterned"] = [figures(0, 1), figures(0, 2)]
    row = compare(measured, {}, "free", MADE_BY).rows[0]
    assert row.difference[0].low < 0 < row.difference[0].high
    root = ET.fromstring(draw_differences(compare(measured, {}, "free", MADE_BY)))
    assert [circle.get("class") for circle in root.findall(f"{SVG}circle")] == ["open"]


def test_figures_read_back(tmp_path):
    measured = figures(0, 1)
    write_measured(measured, tmp_path / "measured.json")
    again = read_measured(tmp_path / "measured.json")
    np.testing.assert_array_equal(again.blocked, measured.blocked)
    np.testing.assert_array_equal(again.unblocked, measured.unblocked)
