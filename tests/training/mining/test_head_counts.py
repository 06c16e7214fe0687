"""Which heads there are, where layers have as many and where they do not."""

import pytest

from service.errors import DataError
from training.mining.head_counts import check_head, describe_heads


def test_head_outside_its_layer_is_refused_by_name():
    for layer, head in ((0, 3), (1, 0), (1, 6)):
        check_head((4, 7), layer, head)
    for layer, head in ((0, 4), (1, 7), (2, 0), (-1, 0), (0, -1)):
        with pytest.raises(
            DataError, match=rf"of 2 layers with 4, 7 heads, got layer {layer}, head {head}"
        ):
            check_head((4, 7), layer, head)
    assert describe_heads((4, 4)) == "2 layers x 4 heads"
