"""Types that also change the running system, at the live root: what the kernel, systemd and programs then use."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from converge.errors import ProviderError
from converge.model import Change, Effect, EffectKind
from converge.providers.identity import hostname, locale, sysctl, timezone
from converge.system import System
from tests.real.converging import acting, converge
from tests.real.livebox import Livebox, livebox, needs_livebox

pytestmark = needs_livebox

SYSTEMD_SYSCTL = "/usr/lib/systemd/systemd-sysctl"
FORWARD: dict[str, Any] = {"key": "net.ipv4.ip_forward", "value": 1}
OURS = "etc/sysctl.d/60-converge-net.ipv4.ip_forward.conf"


@pytest.fixture
def box() -> Iterator[Livebox]:
    with livebox() as made:
        (made.root / "etc/hostname").write_text("debian\n")
        yield made


def converge_here(provider: ModuleType, **params: Any) -> None:
    converge(provider, System("/"), **params)


def effects_here(provider: ModuleType, **params: Any) -> tuple[Effect, ...]:
    system, made = System("/"), acting(provider)
    spec = made.parse(params)
    return made.apply(system, spec, made.changes(system, spec, made.inspect(system, spec)))


def running(box: Livebox, parameter: str = "net/ipv4/ip_forward") -> str:
    return box.run(["cat", f"/proc/sys/{parameter}"]).stdout.strip()


def test_hostname_of_kernel_changes_only_with_file(box: Livebox) -> None:
    box.call(converge_here, hostname, name="desk")
    assert (box.root / "etc/hostname").read_text() == "desk\n"
    assert box.run(["uname", "-n"]).stdout == "desk\n"
    box.run(["hostname", "from-dhcp"])
    box.call(converge_here, hostname, name="desk", pretty="Desk")
    assert box.run(["uname", "-n"]).stdout == "from-dhcp\n"


def name_too_long() -> None:
    hostname.apply(System("/"), hostname.parse({"name": "desk"}), (Change("name", "debian", "x" * 65),))


def test_hostname_refused_by_kernel_is_not_written(box: Livebox) -> None:
    with pytest.raises(ProviderError, match="cannot set the host name: Invalid argument"):
        box.call(name_too_long)
    assert (box.root / "etc/hostname").read_text() == "debian\n"


def test_timezone_is_used_by_programs(box: Livebox) -> None:
    box.call(converge_here, timezone, zone="Asia/Kathmandu")
    assert box.run(["env", "-u", "TZ", "date", "+%z"]).stdout == "+0545\n"


SYSTEMCTL = """\
#!/bin/sh
echo "$*" >>/run/received
"""


def test_locale_and_keymap_are_sent_to_running_systemd(box: Livebox) -> None:
    """A script replaces systemctl, because a box has no running systemd."""
    box.call(converge_here, locale, lang="C", keymap="de")
    (box.root / "usr/bin/systemctl").write_text(SYSTEMCTL)
    (box.root / "run/systemd/system").mkdir(parents=True)
    box.call(converge_here, locale, lang="C.UTF-8", variables={"LC_TIME": "C"})
    box.call(converge_here, locale, lang="", variables={"LC_TIME": ""})
    received = (box.root / "run/received").read_text().splitlines()
    assert received == ["set-environment LANG=C.UTF-8 LC_TIME=C", "set-environment LANG= LC_TIME="]
    assert box.call(effects_here, locale, keymap="us") == ()
    (box.root / "usr/lib/systemd/system/systemd-vconsole-setup.service").touch()
    (effect,) = box.call(effects_here, locale, keymap="de")
    assert effect == Effect(EffectKind.RESTART, "systemd-vconsole-setup.service")


def test_sysctl_of_kernel_changes_only_with_file(box: Livebox) -> None:
    box.call(converge_here, sysctl, **FORWARD)
    assert ((box.root / OURS).read_text(), running(box)) == ("net.ipv4.ip_forward = 1\n", "1")
    box.run(["sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward"])
    box.call(converge_here, sysctl, **FORWARD)
    assert running(box) == "0"
    box.call(converge_here, sysctl, **{**FORWARD, "value": 0})
    box.run(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])
    box.call(converge_here, sysctl, key="net.ipv4.ip_forward", ensure="absent")
    assert ((box.root / OURS).exists(), running(box)) == (False, "1")


def test_sysctl_refused_by_kernel_is_not_written(box: Livebox) -> None:
    with pytest.raises(ProviderError, match=r"kernel parameter net\.ipv4\.no_such is missing in the running kernel"):
        box.call(converge_here, sysctl, key="net.ipv4.no_such", value=1)
    with pytest.raises(ProviderError, match="Invalid argument"):
        box.call(converge_here, sysctl, **{**FORWARD, "value": "many"})
    assert not (box.root / OURS).exists()
    box.call(converge_here, sysctl, key="-net.ipv4.no_such", value=1)
    written = (box.root / "etc/sysctl.d/60-converge-net.ipv4.no_such.conf").read_text()
    assert written == "-net.ipv4.no_such = 1\n"


@pytest.mark.skipif(not Path(SYSTEMD_SYSCTL).exists(), reason="systemd is not installed")
def test_sysctl_is_set_by_systemd_at_boot(box: Livebox) -> None:
    """Files, order and keys are read as systemd reads them, also if the name of an interface contains a dot."""
    box.run(["sh", "-c", "ip link set lo down && ip link set lo name a.1"])
    dotted = "net.ipv4.conf.a/1.rp_filter"
    (box.root / "usr/lib/sysctl.d/59.conf").write_text(f"net/ipv4/ip_forward = 0\n{dotted} = 0\n")
    (box.root / "usr/lib/sysctl.d/99-pattern.conf").write_text("net.ipv4.conf.*.rp_filter = 0\n")
    box.call(converge_here, sysctl, **FORWARD)
    box.call(converge_here, sysctl, key=dotted, value=1)
    box.run(["sh", "-c", "echo 0 | tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/rp_filter"])
    assert box.run([SYSTEMD_SYSCTL]).returncode == 0
    assert (running(box), running(box, "net/ipv4/conf/a.1/rp_filter")) == ("1", "1")
    (box.root / "usr/lib/sysctl.d/99-pattern.conf").write_text("net.ipv4.ip_forward = 0\n")
    with pytest.raises(ProviderError, match=r"99-pattern\.conf:1 sets net\.ipv4\.ip_forward to '0'"):
        box.call(converge_here, sysctl, **FORWARD)
    box.run([SYSTEMD_SYSCTL])
    assert running(box) == "0"


MANIFEST = """\
converge: 1
product: live
resources:
  name: {type: hostname, apply: always, with: {name: desk, pretty: The desk}}
  zone: {type: timezone, apply: once, with: {zone: Europe/Vienna}}
  language: {type: locale, apply: once, with: {variables: {LANGUAGE: de}, keymap: ""}}
  forwarding: {type: sysctl, apply: always, with: {key: net.ipv4.ip_forward, value: 1}}
  hosts: {type: line, apply: always, with: {path: /etc/hosts, line: 10.0.0.9 printer, create: true}}
  lid: {type: keyfile, apply: once, with: {path: /etc/lid.conf, group: Login, key: lid, value: x, create: true}}
"""


def test_second_run_changes_nothing(box: Livebox, tmp_path: Path) -> None:
    manifest = tmp_path / "live.yaml"
    manifest.write_text(MANIFEST)
    first = box.converge("apply", str(manifest))
    assert (first.returncode, "0 failed" in first.stdout) == (0, True), first.stdout + first.stderr
    assert (box.run(["uname", "-n"]).stdout, running(box)) == ("desk\n", "1")
    assert os.readlink(box.root / "etc/localtime") == "../usr/share/zoneinfo/Europe/Vienna"
    second = box.converge("apply", str(manifest))
    assert second.stdout.splitlines()[-1].startswith("Applied: 0 added, 0 changed, 0 removed"), second.stdout
