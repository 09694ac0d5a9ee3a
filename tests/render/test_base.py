import io
import os
from pathlib import Path

import pytest

from converge.diagnostics import Mark, Report
from converge.model import Change, Value
from converge.render.base import Sources, before_and_after, brief, safe, shorten, width, write


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("日本語 é", "日本語 é"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines\t", "two\\nlines\\t"),
        ("a\u202eb", "a\\u202eb"),
        ("byte \udcff", "byte \\xff"),
    ],
)
def test_safe_text_cannot_steer_a_terminal(text: str, expected: str) -> None:
    assert safe(text) == expected


@pytest.mark.parametrize(("text", "cells"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("", 0)])
def test_width_counts_cells(text: str, cells: int) -> None:
    assert width(text) == cells


@pytest.mark.parametrize("text", ["a" * 50, "日本語" * 20, "https://example.com/a/very/long/path/to/a/file"])
@pytest.mark.parametrize("cells", [8, 21, 40])
def test_a_shortened_text_fits_and_keeps_its_ends(text: str, cells: int) -> None:
    shortened = shorten(text, cells)
    assert width(shortened) <= cells
    assert (shortened[0], shortened[-1]) == (text[0], text[-1])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "unset"),
        (True, "true"),
        (7, "7"),
        ("text", '"text"'),
        ("unset", '"unset"'),
        (("a", None), '["a", unset]'),
        ({"mode": "0755"}, '{mode: "0755"}'),
        ("sha256:" + "ab" * 32, "sha256:abababababab"),
        ({"limits": "sha256:" + "ab" * 32}, "{limits: sha256:abababababab}"),
        ("tree:" + "ab" * 32 + " (2 entries, first a/b)", "2 entries, first a/b"),
    ],
)
def test_brief_values(value: object, expected: str) -> None:
    assert brief(value) == expected


@pytest.mark.parametrize(
    ("type_", "field", "before", "after", "expected"),
    [
        ("swap", "size", None, 4 << 30, ("unset", "4 GiB")),
        ("swap", "size", (4 << 30) + 4096, 1173 << 20, ("4194308 KiB", "1173 MiB")),
        ("swap", "size", 0, 5, ("0 B", "5 B")),
        ("swap", "priority", None, 1024, ("unset", "1024")),
        ("swap", "active", True, False, ("true", "false")),
        ("zram", "size", "min(ram / 2, 4096)", 1 << 20, ('"min(ram / 2, 4096)"', "1 MiB")),
        ("zram", "host_memory_limit", 8 << 30, None, ("8 GiB", "unset")),
        ("file", "mode", "0644", "0600", ('"0644"', '"0600"')),
    ],
)
def test_sizes_are_written_in_their_unit(
    type_: str, field: str, before: Value, after: Value, expected: tuple[str, str]
) -> None:
    assert before_and_after(type_, Change(field, before, after)) == expected


def test_plain_output_has_no_escapes_and_colour_only_adds_them() -> None:
    lines = [(("error", "bold red"), (": [not markup] :smile:", ""))]
    plain, colored = io.StringIO(), io.StringIO()
    write(lines, plain, color=False)
    write(lines, colored, color=True)
    assert plain.getvalue() == "error: [not markup] :smile:\n"
    assert "\x1b[" in colored.getvalue()
    assert ": [not markup] :smile:" in colored.getvalue()


def test_a_source_that_is_gone_has_no_lines() -> None:
    assert Sources().line("/does/not/exist", 1) is None


def test_a_pipe_is_not_read_again() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"first\n")
    assert Sources().line(f"/dev/fd/{reading}", 1) is None
    os.close(writing)
    assert os.read(reading, 10) == b"first\n"
    os.close(reading)


def test_hidden_stretch_of_a_source_is_dots(tmp_path: Path) -> None:
    path = tmp_path / "base.yaml"
    path.write_text("psk: hunter2, ssid: x\npsk: |\n  hunter2\n  hunter2\nssid: x\n")
    inline, block = Mark(str(path), 1, 6, 1, 13), Mark(str(path), 2, 6, 5, 1)
    sources = Sources([inline, block, Mark("other.yaml", 5, 1, 5, 9)])
    assert [sources.line(str(path), number) for number in range(1, 6)] == [
        "psk: •••••••, ssid: x",
        "psk: •",
        None,
        None,
        "ssid: x",
    ]


def test_hidden_file_shows_no_line(tmp_path: Path) -> None:
    path = tmp_path / "any.yaml"
    path.write_text("psk: hunter2\n\nssid: x")
    report = Report()
    report.hide_file(str(path))
    assert [Sources(report.hidden).line(str(path), number) for number in range(1, 4)] == [None, None, None]
    assert report.hides_file(str(path))
