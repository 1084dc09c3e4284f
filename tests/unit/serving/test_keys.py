from pathlib import Path

import pytest

from elcrec.errors import SettingsError
from elcrec.serving.middleware.keys import Keys

FIRST, SECOND = "a-key-of-twenty-four-123", "another-key-of-our-own-4"


def knows(keys: Keys, key: str) -> bool:
    by_header = keys.known([(b"x-api-key", key.encode())]) is not None
    assert by_header == (keys.known([(b"authorization", f"Bearer {key}".encode())]) is not None)
    return by_header


def test_without_a_file_no_key_is_needed_and_none_is_known() -> None:
    keys = Keys(None)
    assert not keys.there
    assert not knows(keys, "")
    assert keys.reread() is False


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_comments_and_blank_lines_are_no_keys(tmp_path: Path, encoding: str, line_end: str) -> None:
    path = tmp_path / "keys"
    comment = "# whoever may ask our server"
    lines = [comment, "", f"  {FIRST} ", FIRST, SECOND, ""]
    path.write_bytes(line_end.join(lines).encode(encoding))
    keys = Keys(path)
    assert knows(keys, FIRST)
    assert knows(keys, SECOND)
    for other in (comment, "\ufeff" + comment, "", " ", FIRST[:-1]):
        assert not knows(keys, other)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "holds no key"),
        ("# only a comment, long enough for a key\n", "holds no key"),
        (f"{FIRST}\nshort-secret\n", "line 2: a key needs 16 characters"),
        (f"{FIRST} # of the shop\n", "line 1: .*without blanks"),
        (f"{FIRST}\n\n\u00e4{SECOND}\n", "line 3: .*ASCII"),
        (f"{FIRST}\n\ufeff{SECOND}\n", "line 2: .*ASCII"),
    ],
)
def test_a_line_that_is_no_key_is_refused_without_showing_it(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=complaint) as refusal:
        Keys(path)
    for secret in (FIRST, SECOND, "short-secret", "shop"):
        assert secret not in str(refusal.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfek\x00e\x00y\x00"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match="cannot be read"):
        Keys(path)


def test_keys_are_read_again_and_the_old_ones_stay_where_that_fails(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(FIRST)
    keys = Keys(path)
    assert keys.reread() is False
    path.write_text(SECOND)
    assert keys.reread() is True
    assert (knows(keys, FIRST), knows(keys, SECOND)) == (False, True)
    for spoil in (lambda: path.write_text("short"), lambda: path.write_bytes(b"\xff"), path.unlink):
        spoil()
        with pytest.raises(SettingsError):
            keys.reread()
        assert keys.there
        assert (knows(keys, FIRST), knows(keys, SECOND)) == (False, True)
