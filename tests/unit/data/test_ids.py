import pytest

from elcrec.data.ids import MOST_ID_CHARACTERS, nameable


@pytest.mark.parametrize(
    "id_text",
    ["u1", "0", "-7", str(2**64 - 1), "a,b", "a/b?c#d%2F", " blanks around ", "naïve", "日本", "😀", "..", "a\\b\"'"],
)
def test_ordinary_ids_can_be_named(id_text: str) -> None:
    assert nameable(id_text) is None


def test_an_id_of_a_thousand_characters_can_be_named_and_a_longer_one_cannot() -> None:
    assert nameable("x" * MOST_ID_CHARACTERS) is None
    assert nameable("x" * (MOST_ID_CHARACTERS + 1)) == "has 1001 characters, more than 1000"


@pytest.mark.parametrize("character", [*map(chr, range(0x20)), "\x7f"])
def test_control_characters_cannot_be_named(character: str) -> None:
    assert nameable(f"a{character}b") == f"holds the control character U+{ord(character):04X}"


@pytest.mark.parametrize("half", [0xD800, 0xDBFF, 0xDC00, 0xDFFF])
def test_half_of_a_surrogate_pair_cannot_be_named(half: int) -> None:
    assert nameable(f"a{chr(half)}b") == f"holds half of a surrogate pair, U+{half:04X}"


@pytest.mark.parametrize("blank", ["", " ", "   ", "\u00a0", "\u3000", "\u200b", " \ufeff"])
def test_an_empty_id_and_one_of_blanks_cannot_be_named(blank: str) -> None:
    assert nameable(blank) == "is empty or only blanks"
