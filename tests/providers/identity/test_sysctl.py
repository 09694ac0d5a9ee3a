from pathlib import Path
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Change, Domain
from converge.providers.identity import sysctl
from converge.system import System
from tests.real.converging import acting, changes_of, converge, state_of, take_back

FORWARD: dict[str, Any] = {"key": "net.ipv4.ip_forward", "value": 1}
OURS = "etc/sysctl.d/60-converge-net.ipv4.ip_forward.conf"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/etc").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def system(root: Path) -> System:
    return System(str(root))


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_own_file_made_and_removed_by_undo(root: Path, system: System) -> None:
    before = state_of(sysctl, system, **FORWARD)
    assert converge(sysctl, system, **FORWARD) == (Change("ensure", "absent", "present"), Change("value", None, "1"))
    assert (root / OURS).read_text() == "net.ipv4.ip_forward = 1\n"
    take_back(sysctl, system, before, **FORWARD)
    assert not (root / OURS).exists()


def test_shared_file_keeps_other_lines(root: Path, system: System) -> None:
    put(root, "etc/sysctl.d/70-site.conf", "# ours\n-net/ipv4/ip_forward=0\nkernel.panic = 10\n")
    params = {**FORWARD, "file": "/etc/sysctl.d/70-site.conf"}
    converge(sysctl, system, **params)
    assert (root / "etc/sysctl.d/70-site.conf").read_text() == "# ours\n-net/ipv4/ip_forward=1\nkernel.panic = 10\n"
    converge(sysctl, system, key="net.ipv4.ip_forward", ensure="absent", file=params["file"])
    assert (root / "etc/sysctl.d/70-site.conf").read_text() == "# ours\nkernel.panic = 10\n"


@pytest.mark.parametrize("value", ["4096 131072 6291456", "4096\t131072  6291456 "])
def test_space_between_numbers_ignored(root: Path, system: System, value: str) -> None:
    put(root, "etc/sysctl.d/60-converge-net.ipv4.tcp_rmem.conf", "net.ipv4.tcp_rmem = 4096\t131072\t6291456\n")
    assert changes_of(sysctl, system, key="net.ipv4.tcp_rmem", value=value) == ()


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (True, "1"), ("", ""), ("|/bin/x  %p", "|/bin/x %p")])
def test_value_written_as_text(root: Path, system: System, value: object, text: str) -> None:
    converge(sysctl, system, key="kernel.core_pattern", value=value)
    written = (root / "etc/sysctl.d/60-converge-kernel.core_pattern.conf").read_text()
    assert written == f"kernel.core_pattern = {text}".rstrip() + "\n"


@pytest.mark.parametrize(
    ("path", "text", "place"),
    [
        ("usr/lib/sysctl.d/99-late.conf", "net.ipv4.ip_forward=0", "/usr/lib/sysctl.d/99-late.conf:1"),
        ("run/sysctl.d/60-d.conf", "\n\n-net/ipv4/ip_forward = 0\n", "/run/sysctl.d/60-d.conf:3"),
        ("usr/local/lib/sysctl.d/61.conf", "net.ipv4.ip_forward=0", "/usr/local/lib/sysctl.d/61.conf:1"),
        ("etc/sysctl.conf", "net.ipv4.ip_forward=1\nnet.ipv4.ip_forward=0", "/etc/sysctl.conf:2"),
    ],
)
def test_later_file_with_other_value_is_error(root: Path, system: System, path: str, text: str, place: str) -> None:
    put(root, path, text)
    with pytest.raises(
        ProviderError, match=f"{place} sets net.ipv4.ip_forward to '0' and overrides /{OURS} at boot"
    ) as raised:
        changes_of(sysctl, system, **FORWARD)
    assert "remove that line" in str(raised.value.hint)
    assert changes_of(sysctl, system, key="net.ipv4.ip_forward", ensure="absent") == ()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("usr/lib/sysctl.d/50-early.conf", "net.ipv4.ip_forward=0"),
        ("usr/lib/sysctl.d/99-same.conf", "net.ipv4.ip_forward = 1"),
        ("usr/lib/sysctl.d/99-other.conf", "#net.ipv4.ip_forward=0\nnet.ipv4.ip_forward_use_pmtu=0\nnet.ipv4.*=0"),
        ("usr/lib/sysctl.d/99-no-suffix", "net.ipv4.ip_forward=0"),
        ("usr/lib/sysctl.d/60-converge-net.ipv4.ip_forward.conf", "net.ipv4.ip_forward=0"),
        ("etc/sysctl.d/README", "net.ipv4.ip_forward=0"),
    ],
)
def test_file_that_does_not_override_accepted(root: Path, system: System, path: str, text: str) -> None:
    put(root, path, text)
    converge(sysctl, system, **FORWARD)


def test_masked_file_ignored(root: Path, system: System) -> None:
    for name in ("98-a.conf", "99-b.conf"):
        put(root, f"usr/lib/sysctl.d/{name}", "net.ipv4.ip_forward=0")
    put(root, "etc/sysctl.d/98-a.conf", "# nothing\n")
    (root / "etc/sysctl.d/99-b.conf").symlink_to("/dev/null")
    (root / "dev").mkdir()
    (root / "dev/null").symlink_to("/nowhere")
    converge(sysctl, system, **FORWARD)


def test_own_file_with_later_name_accepted(root: Path, system: System) -> None:
    put(root, "usr/lib/sysctl.d/99-late.conf", "net.ipv4.ip_forward=0")
    converge(sysctl, system, **FORWARD, file="/etc/sysctl.d/99-later.conf")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"key": "kernel.panic"}, "`value` is missing for kernel.panic"),
        *(
            ({"key": key, "value": 1}, "is not a kernel parameter")
            for key in ("panic", "net.ipv4.*.x", "kernel/../../etc/passwd", "kernel..panic", "/kernel/panic", "a.b=c")
        ),
        *(
            ({"key": "kernel.panic", "value": 1, "file": file}, "is not read at boot")
            for file in ("/etc/sysctl.conf", "/etc/sysctl.d/x", "/etc/sysctl.d/../x.conf", "/usr/lib/sysctl.d/a.conf")
        ),
    ],
)
def test_invalid_parameters_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError, match=message):
        sysctl.parse(params)


def test_key_spellings_name_same_thing(system: System) -> None:
    keys = ("net.ipv4.conf.eth0/1.rp_filter", "net/ipv4/conf/eth0.1/rp_filter", "-net/ipv4/conf/eth0.1/rp_filter")
    specs = [sysctl.parse({"key": key, "value": 1}) for key in keys]
    assert {spec.path for spec in specs} == {"/etc/sysctl.d/60-converge-net.ipv4.conf.eth0-1.rp_filter.conf"}
    things = {claim.thing.recorded for spec in specs for claim in acting(sysctl).claims(spec)}
    assert things == {"sysctl:net/ipv4/conf/eth0.1/rp_filter"}
    assert set(acting(sysctl).domains(system, specs[0]).values()) == {Domain.DEPLOYMENT}
