"""A grid of heads whose layers differ in width: worked out by hand."""

import json
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from training.mining.head_grid import HeadGrid, from_rows, stack_layers, to_rows
from training.mining.heat_map import HeatMap, draw_heat_maps

NAN = float("nan")
VALUES = np.array([[5.0, 1.0, 2.0], [8.0, NAN, NAN], [0.5, 3.5, NAN]])


def test_layers_are_laid_out_as_wide_as_the_widest():
    rows = [np.array([5.0, 1.0, 2.0]), np.array([8.0]), np.array([0.5, 3.5])]
    np.testing.assert_array_equal(stack_layers(rows), VALUES)
    twice = stack_layers([np.stack([row, 2 * row]) for row in rows])
    np.testing.assert_array_equal(twice, np.stack([VALUES, 2 * VALUES]))


def test_ranks_and_shares_pass_over_heads_that_are_not_there():
    grid = HeadGrid.of(VALUES)
    assert grid.ranked() == [(1, 0), (0, 0), (2, 1), (0, 2), (0, 1), (2, 0)]
    assert grid.values().tolist() == [5.0, 1.0, 2.0, 8.0, 0.5, 3.5]
    np.testing.assert_array_equal(grid.shares(), 5 * VALUES)


def test_table_is_blank_where_a_layer_has_no_such_head():
    assert list(HeadGrid.of(VALUES).to_lines(".1f")) == [
        "  layer      h0     h1     h2",
        "  0         5.0    1.0    2.0",
        "  1         8.0",
        "  2         0.5    3.5",
    ]


@pytest.mark.parametrize("n_digits", [6, 17])
def test_grid_reads_back_from_json_that_any_reader_takes(n_digits):
    values = VALUES / 3
    text = json.dumps(to_rows(values, n_digits), allow_nan=False)
    assert json.loads(text)[1][1:] == [None, None]
    found = from_rows(json.loads(text))
    np.testing.assert_allclose(found, values, rtol=1e-5 if n_digits == 6 else 0)


def test_heat_map_has_no_cell_where_a_layer_has_no_such_head():
    root = ET.fromstring(draw_heat_maps([HeatMap("grid", VALUES, ".1f")], n_columns=1))
    cells = [node for node in root.iter() if node.get("class") == "cell"]
    assert [float(cell.get("fill-opacity")) for cell in cells] == pytest.approx(
        [5 / 8, 1 / 8, 2 / 8, 1.0, 0.5 / 8, 3.5 / 8], abs=1e-3
    )
    assert len({(cell.get("x"), cell.get("y")) for cell in cells}) == 6
