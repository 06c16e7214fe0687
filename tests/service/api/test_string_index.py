"""Facts about positions: Python's own UTF-16 codec is the oracle."""

from hypothesis import given
from hypothesis import strategies as st

from service.api.string_index import StringIndex, StringIndexType

TEXTS = st.text(st.characters(codec=None, exclude_categories=[]) | st.sampled_from("🌧a\ud800é"))


@given(TEXTS)
def test_utf16_positions_are_those_of_the_codec(text):
    index = StringIndex(text, StringIndexType.UTF16)
    expected = [len(text[:i].encode("utf-16-le", "surrogatepass")) // 2 for i in range(len(text))]
    assert [index.translate(i) for i in range(len(text))] == expected


@given(TEXTS)
def test_code_points_stay_as_they_are(text):
    index = StringIndex(text, StringIndexType.CODE_POINT)
    assert [index.translate(i) for i in range(len(text))] == list(range(len(text)))
