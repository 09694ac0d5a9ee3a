import pytest

from converge.providers.identity.sysctl.sysctlfile import Sysctlfile, dotted, parameter_of

CONFIG = b"""\
# net.core.somaxconn = 1
net.core.somaxconn = 128
;net.core.somaxconn = 2
 -net/ipv4/conf/eth0.1/rp_filter=1
net.ipv4.tcp_rmem = 4096\t131072   6291456
-net.ipv4.conf.*.rp_filter
net.core.somaxconn=256"""


@pytest.mark.parametrize(
    ("key", "parameter"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/1.rp_filter", "net/ipv4/conf/eth0.1/rp_filter"),
        ("net/ipv4/conf/eth0.1/rp_filter", "net/ipv4/conf/eth0.1/rp_filter"),
        (" - kernel.panic ", "kernel/panic"),
        ("odd", "odd"),
    ],
)
def test_first_separator_decides_meaning_of_key(key: str, parameter: str) -> None:
    assert parameter_of(key) == parameter
    assert parameter_of(dotted(parameter)) == parameter


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("net/core/somaxconn", "256"),
        ("net/ipv4/conf/eth0.1/rp_filter", "1"),
        ("net/ipv4/tcp_rmem", "4096 131072 6291456"),
        ("kernel/panic", None),
    ],
)
def test_last_assignment_found(parameter: str, value: str | None) -> None:
    found = Sysctlfile.parse(CONFIG).find(parameter)
    assert (found.value if found else None) == value


@pytest.mark.parametrize(
    ("parameter", "value", "old", "new"),
    [
        ("net/core/somaxconn", "512", b"=256", b"=512"),
        ("net/core/somaxconn", "256", b"", b""),
        ("net/ipv4/conf/eth0.1/rp_filter", "2", b"rp_filter=1", b"rp_filter=2"),
        ("net/ipv4/tcp_rmem", "1 2 3", b"4096\t131072   6291456", b"1 2 3"),
        ("kernel/panic", "10", b"=256", b"=256\nkernel.panic = 10"),
    ],
)
def test_value_set_in_place_or_at_end(parameter: str, value: str, old: bytes, new: bytes) -> None:
    file = Sysctlfile.parse(CONFIG)
    file.set(parameter, dotted(parameter), value)
    assert file.dump() == CONFIG.replace(old, new)


def test_unset_removes_assignments_and_keeps_comments() -> None:
    file = Sysctlfile.parse(CONFIG)
    file.unset("net/core/somaxconn")
    assert file.dump() == CONFIG.replace(b"net.core.somaxconn = 128\n", b"").replace(b"\nnet.core.somaxconn=256", b"")
