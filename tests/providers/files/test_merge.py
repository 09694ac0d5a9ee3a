import pytest

from converge.providers.files.file.merge import merge

BASE = b"one\ntwo\nthree\nfour\nfive\n"


@pytest.mark.parametrize(
    ("theirs", "ours", "merged"),
    [
        (BASE, b"new\n", b"new\n"),
        (b"theirs\n", BASE, b"theirs\n"),
        (b"same\n", b"same\n", b"same\n"),
        (b"ONE\ntwo\nthree\nfour\nfive\n", b"one\ntwo\nthree\nfour\nFIVE\n", b"ONE\ntwo\nthree\nfour\nFIVE\n"),
        (b"ONE\ntwo\nthree\nfour\nfive\n", b"ONE\ntwo\nthree\nfour\nFIVE\n", b"ONE\ntwo\nthree\nfour\nFIVE\n"),
        (b"ONE\ntwo\nthree\nfour\nfive\n", b"EIN\ntwo\nthree\nfour\nfive\n", None),
        (b"\0theirs", b"\0ours", None),
        (b"", b"one\ntwo\nthree\nfour\nFIVE\n", None),
    ],
)
def test_lines_of_both_sides_merged(theirs: bytes, ours: bytes, merged: bytes | None) -> None:
    assert merge(BASE, theirs, ours) == merged
