import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipaas.engine.pattern_sample import find_match
from ipaas.engine.sample import make_sample

EASY = [
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    r"^[a-z][a-z0-9_-]{0,63}$",
    r"^(red|green)$",
    r"\A\d+\s\w*\Z",
    r"^[^a]b.c?$",
    r"^(?P<tag>[A-Z]{2})-(?P=tag)$",
    r"^(?:x+y)*z\S\D\W$",
    r"^#[0-9A-Fa-f]{6}$",
    "",
]


@pytest.mark.parametrize("pattern", EASY)
def test_a_common_pattern_is_matched(pattern: str) -> None:
    """The made-up text is one in which the pattern is found."""
    text = find_match(pattern)
    assert text is not None
    assert re.search(pattern, text)


@pytest.mark.parametrize("pattern", ["(", "a{5000}", "(?=b)a", "x{999}{999}", "[" * 200])
def test_what_cannot_be_matched_easily_is_given_up(pattern: str) -> None:
    """A broken, huge or contradictory pattern gives nothing, and no exception."""
    assert find_match(pattern) is None


@given(st.text(max_size=40))
def test_whatever_stands_in_a_pattern_the_result_matches_or_is_none(pattern: str) -> None:
    """No pattern raises, and no wrong text comes out."""
    text = find_match(pattern)
    assert text is None or re.search(pattern, text)


def test_a_sample_of_text_meets_its_pattern() -> None:
    """A dry run's made-up date passes the pattern that `returns` asks for."""
    assert make_sample({"type": "string", "pattern": r"^\d{4}-\d{2}$"}) == "1111-11"
