from hypothesis import given
from hypothesis import strategies as st

from ipaas.definition.nearest import find_nearest, hint_nearest

NAMES = ("uses", "with", "credential", "for_each", "on_error")


def test_swapped_letters_are_near() -> None:
    """A swap of neighbours is one edit."""
    assert find_nearest("wiht", NAMES) == "with"


def test_case_and_dashes_do_not_count() -> None:
    """`For-Each` is `for_each`."""
    assert find_nearest("For-Each", NAMES) == "for_each"


def test_strange_names_have_no_nearest() -> None:
    """What shares next to nothing with a name is not offered."""
    assert find_nearest("banana", NAMES) is None


def test_a_short_name_is_not_replaced_entirely() -> None:
    """`x` is not offered for `y`."""
    assert find_nearest("y", ("x",)) is None


def test_hint_lists_few_names_when_none_is_near() -> None:
    """Without a near name a short list of known ones helps."""
    assert hint_nearest("banana", ("a1", "b2")) == "known: `a1`, `b2`"


def test_hint_is_empty_for_many_names_when_none_is_near() -> None:
    """A long list of known names does not help."""
    assert hint_nearest("banana", [f"step{n}" for n in range(50)]) == ""


@given(st.text("abc_", min_size=4, max_size=12), st.integers(0, 11), st.sampled_from("xyz"))
def test_one_wrong_letter_is_always_mended(name: str, at: int, letter: str) -> None:
    """A name of four letters or more with one letter replaced finds its original."""
    at %= len(name)
    wrong = name[:at] + letter + name[at + 1 :]
    assert find_nearest(wrong, [name]) == name


@given(st.text(max_size=80), st.lists(st.text(max_size=80), max_size=8))
def test_the_nearest_is_one_of_the_names(name: str, names: list[str]) -> None:
    """Whatever the input, the answer is another of the given names or None."""
    nearest = find_nearest(name, names)
    assert nearest is None or (nearest in names and nearest != name)
