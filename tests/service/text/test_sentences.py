"""Sentence spans: they partition the text, and they are the sentences that a reader sees."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

from service.errors import BundleError
from service.text.boundaries import is_cased
from service.text.punkt_json import read_punkt, write_punkt
from service.text.sentences import SentenceSplitter, Span

ABBREVIATIONS = "mr mrs dr inc corp jr st etc u.s a.m p.m e.g jan vs ph.d gen sgt"
STARTERS = "the he she it they in on but this police then"
SOME_WORDS = "He they Acme earnings Mr. Inc. U.S. 5 5. 3.5 J. end. stop? no! etc. etc"
PLAIN_WORDS = "Acme will earnings tax Inc. etc. St. town. he He earnings. Will Earnings But"


def parameters() -> PunktParameters:
    made = PunktParameters()
    made.abbrev_types = set(ABBREVIATIONS.split())
    made.sent_starters = set(STARTERS.split())
    made.collocations = {("e", "the")}
    made.ortho_context.update({"earnings": 1 << 5, "will": (1 << 5) + (1 << 2)})
    return made


SPLITTER = SentenceSplitter(parameters())


def sentences_of(text: str) -> list[str]:
    return [text[span.start : span.end] for span in SPLITTER.split(text)]


PIECES = [
    "Mr. ",
    "U.S. ",
    "end. ",
    '."',
    "?) ",
    "… ",
    ". . .",
    "\n",
    "\r\n",
    "\n\n",
    " ",
    "\xa0",
    "\u2028",
    "\x00",
]
ANY_TEXT = st.text(st.characters()) | st.lists(
    st.text(st.characters(), max_size=8) | st.sampled_from(PIECES)
).map("".join)


@given(ANY_TEXT)
def test_every_character_but_white_space_lies_in_exactly_one_span(text: str) -> None:
    spans = SPLITTER.split(text)
    covered = [index for span in spans for index in range(span.start, span.end)]
    assert covered == sorted(set(covered))
    assert {i for i, character in enumerate(text) if not character.isspace()} <= set(covered)
    for start, end in spans:
        assert start < end
        assert text[start:end] == text[start:end].strip()


@given(ANY_TEXT | st.text("aA .\u01c5\n", max_size=400))
@example("a " * 99 + "B")
@example("a " * 100 + "B")
@example("A" + "a " * 199 + "B")
@example("A" + "a " * 200)
def test_a_text_is_cased_if_of_a_hundred_characters_one_is_a_capital(text: str) -> None:
    n_capitals = sum(character.isupper() for character in text)
    n_characters = sum(not character.isspace() for character in text)
    assert is_cased(text) == (100 * n_capitals >= n_characters)


@given(st.lists(st.sampled_from(SOME_WORDS.split())))
def test_joining_words_with_any_white_space_gives_the_same_sentences(words: list[str]) -> None:
    plain = [sentence.split() for sentence in sentences_of(" ".join(words))]
    assert [sentence.split() for sentence in sentences_of(" \xa0\t ".join(words))] == plain


@pytest.mark.parametrize(
    "sentences",
    [
        ["The bridge opened on Monday.", "Nobody came."],
        ["Mr. Hale met Dr. Osei at 9 a.m. on Friday.", "They spoke for an hour."],
        ["Acme Inc. sold it.", "Then it moved to St. Helens."],
        ["The plant belongs to Acme Corp.", "Earnings fell."],
        ["It left the U.S. in May.", "Nobody in the U.S. Senate objected."],
        ["She flew to the U.S.", "He stayed."],
        ["J. K. Rowling and George R. R. Martin write.", "He reads."],
        ["He took vitamin D.", "It helped."],
        ["Shares rose 3.5 percent to $41.20.", "The rest fell."],
        ["It was built in 1987.", "It burned in 1990."],
        ['"Is it over?" she asked.', "Nobody knew."],
        ['"Run!" Tom Hale shouted.', "They ran."],
        ['She said "it is over."', "Nobody clapped."],
        ["He called it “a farce.”", "“It is,” she said."],
        ["It closed (at last.)", "The doors stayed shut."],
        ["He waited… and waited.", "It rained."],
        ["He waited...", "Nobody came."],
        ["Really?!", "Yes!", "Good."],
        ["The town grew fast.[3]", "It has two schools."],
        ["The town grew fast. [3] [12]", "It has two schools."],
        ["The Yahoo! board met.", "The iPhone sold well."],
        ["See No. 7 and Fig. 2 on pp. 11-12.", "It is there."],
        ["Take these:", "1. Salt.", "2. Two lemons.", "3. Water."],
        ["Courses", "1. Tools and rules", "2. How to learn", "3. Talking to machines"],
        ["No final period here"],
        ["Go home 😀.", "😀 is a sentence."],
        ["عاد الوزير إلى المدينة.", "ثم سافر."],
    ],
)
def test_sentences_joined_by_a_space_are_found_again(sentences: list[str]) -> None:
    assert sentences_of(" ".join(sentences)) == sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["the bridge opened on monday.", "nobody came."],
        ["mr. hale met dr. osei at 9 a.m. on friday.", "they spoke for an hour."],
        ["acme inc. sold it.", "then it moved to st. helens."],
        ["it was built in 1987.", "it burned in 1990."],
        ["she flew to the u.s.", "he stayed."],
        ["the u.s. senate voted.", "nobody left."],
        ["martin hale jr. won.", "gen. osei lost."],
        ['"is it over?" she asked.', "nobody knew."],
        ["'run!' tom hale shouted.", "they ran."],
        ["(cnn) the sgt. said no.", "nobody asked why."],
    ],
)
def test_lower_cased_sentences_are_found_again(sentences: list[str]) -> None:
    assert sentences_of(" ".join(sentences)) == sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Bridge to open\nBy Jo Hale\n\nLONDON (Reuters) - The bridge will open. It is.",
            [
                "Bridge to open",
                "By Jo Hale",
                "LONDON (Reuters) - The bridge will open.",
                "It is.",
            ],
        ),
        (
            "- one thing\n- another thing\n* a third",
            ["- one thing", "- another thing", "* a third"],
        ),
        ("First line\r\nSecond line\rThird line", ["First line", "Second line", "Third line"]),
        ("\n\n  Only this \t\n \n", ["Only this"]),
        ("A\x00b. C\ud800d.", ["A\x00b.", "C\ud800d."]),
    ],
)
def test_line_breaks_end_what_has_no_period(text: str, expected: list[str]) -> None:
    assert sentences_of(text) == expected


def test_hard_wrapped_text_is_not_broken_at_its_lines() -> None:
    text = (
        "The council met on Monday evening to talk about the old stone bridge,\n"
        "which Mayor Hale wants to close. It has carried the road over the river\n"
        "since 1821, and the Ministry of Transport says that it can carry it for\n"
        "another century.\n\n"
        "A second meeting follows in June."
    )
    assert [sentence.split("\n")[0][:12] for sentence in sentences_of(text)] == [
        "The council ",
        "It has carri",
        "A second mee",
    ]


def test_lines_of_unequal_length_are_sentences_of_their_own() -> None:
    text = (
        "Eggs and flour for the dumplings that we eat on Sundays\nSalt\nA pot of water\nOne onion"
    )
    assert sentences_of(text) == text.split("\n")


@pytest.mark.parametrize("text", ["", " ", "\n\r\n\t\xa0\u2028"])
def test_white_space_has_no_sentence(text: str) -> None:
    assert SPLITTER.split(text) == []


def test_a_long_text_without_a_period_is_one_sentence() -> None:
    assert SPLITTER.split("word " * 20_000) == [Span(0, 99_999)]


@pytest.mark.parametrize(
    "unit",
    [
        " ",
        "\n",
        "\r\n",
        "a. ",
        "a",
        ".",
        "! ",
        ". ",
        '!"',
        '"',
        "(",
        "[1]",
        "1. ",
        "a.b",
        " .",
        ".\n",
        "\u2003x",
    ],
)
def test_long_monotonous_text_loses_no_character(unit: str) -> None:
    """A hundred thousand characters; a splitter that is quadratic here would take minutes."""
    text = unit * (100_000 // len(unit))
    spans = SPLITTER.split(text)
    covered = sum(len(text[start:end].split()) for start, end in spans)
    assert covered >= len(text.split())
    outside = "".join(
        text[end:start]
        for (_, end), (start, _) in zip([(0, 0), *spans], [*spans, (len(text),) * 2], strict=True)
    )
    assert not outside.strip()


@given(st.lists(st.sampled_from(PLAIN_WORDS.split()), min_size=1, max_size=12))
def test_plain_cased_words_are_cut_where_nltk_cuts_them(words: list[str]) -> None:
    """Oracle where no rule of ours applies: abbreviations before words with a capital."""
    words = [
        word if word[0].isupper() or not words[n - 1].endswith(".") else "Acme"
        for n, word in enumerate(words)
    ]
    text = " ".join(["Acme", *words])
    punkt = PunktSentenceTokenizer(parameters())
    expected = [text[start:end] for start, end in punkt.span_tokenize(text)]
    assert sentences_of(text) == expected


def test_parameters_survive_their_file(tmp_path: Path) -> None:
    path, again = tmp_path / "punkt.json", tmp_path / "again.json"
    write_punkt(parameters(), path)
    read = read_punkt(path)
    write_punkt(read, again)
    assert path.read_bytes() == again.read_bytes()
    assert vars(read) == vars(parameters())


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"format":2,"abbreviations":[],"collocations":[],"sentence_starters":[],"case_of_words":{}}',
        '{"format":1,"abbreviations":[1],"collocations":[],"sentence_starters":[],"case_of_words":{}}',
        '{"format":1,"abbreviations":[],"collocations":[["a"]],"sentence_starters":[],"case_of_words":{}}',
        '{"format":1,"abbreviations":[],"collocations":[],"sentence_starters":"he","case_of_words":{}}',
        '{"format":1,"abbreviations":[],"collocations":[],"sentence_starters":[],"case_of_words":{"a":"b"}}',
        '{"format":1,"abbreviations":[],"collocations":[],"sentence_starters":[],"case_of_words":{"a":true}}',
    ],
)
def test_a_damaged_file_is_a_bundle_error_that_says_what_to_do(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "punkt.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BundleError, match=r"punkt\.json .*restore the bundle or export it again"):
        SentenceSplitter.from_json(path)


def test_a_missing_file_is_a_bundle_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="restore the bundle or export it again"):
        SentenceSplitter.from_json(tmp_path / "punkt.json")
