import pytest

from converge.formats.url import with_host

OLD, NEW = "old.example.org", "new.example.org"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://old.example.org", "https://new.example.org"),
        (
            "https://old.example.org/a/b?c=https://old.example.org/#d",
            "https://new.example.org/a/b?c=https://old.example.org/#d",
        ),
        ("https://old.example.org/?", "https://new.example.org/?"),
        ("https://old.example.org?x", "https://new.example.org?x"),
        ("http://Old.Example.ORG:8080/", "http://new.example.org:8080/"),
        ("https://ann:p@ss@old.example.org/", "https://ann:p@ss@new.example.org/"),
        ("mirrorlist=https://old.example.org/list", "mirrorlist=https://new.example.org/list"),
        ("https://old.example.org.evil.example/", None),
        ("https://evil-old.example.org/", None),
        ("https://oldXexample.org/", None),
        ("https://old.example.org@evil.example/", None),
        ("https://old.example.org:80@evil.example/", None),
        ("https://evil.example/https://old.example.org/", None),
        ("https://old.example.org:port/", None),
        ("file:///old.example.org/", None),
        ("old.example.org", None),
        ("", None),
    ],
)
def test_only_the_very_host_is_replaced(url: str, expected: str | None) -> None:
    assert with_host(url, OLD, NEW) == (expected or url)


def test_a_port_may_be_named_too() -> None:
    assert with_host("http://old.example.org:80/x", "old.example.org:80", NEW) == "http://new.example.org/x"
    assert with_host("http://[::1]:80/x", "[::1]", "[::2]") == "http://[::2]:80/x"
