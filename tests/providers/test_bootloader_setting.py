"""Where a setting is, and what is refused. That it is set and removed: tests/laws, with real programs tests/real."""

from typing import Any

import pytest

from converge.errors import Later, ProviderError
from converge.providers import bootloader_setting
from converge.system import System


@pytest.fixture
def system(tmp_path_factory: pytest.TempPathFactory) -> System:
    return System(str(tmp_path_factory.mktemp("root")))


def parse(**params: Any) -> bootloader_setting.Spec:
    return bootloader_setting.parse(params)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"setting": "timeout"}, "is set to a value, or removed"),
        ({"setting": "timeout", "value": 3, "ensure": "absent"}, "is set to a value, or removed"),
        ({"setting": "timeout", "value": "menu-force"}, "is no number of seconds"),
        ({"setting": "timeout", "value": "٣"}, "is no number of seconds"),
        ({"setting": "sysroot.bootprefix", "value": "maybe"}, "'maybe' is neither true nor false"),
        ({"setting": "sysroot.bootloader", "value": "lilo"}, "ostree knows no boot loader 'lilo'"),
    ],
)
def test_contradictions(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError, match=message):
        parse(**params)


def test_a_machine_without_a_boot_loader_that_we_know(system: System) -> None:
    with pytest.raises(ProviderError, match="no boot loader whose menu has a timeout") as raised:
        bootloader_setting.inspect(system, parse(setting="timeout", value=3))
    assert "/boot/efi" in raised.value.message
    assert "when" in str(raised.value.hint)


def test_a_machine_without_ostree(system: System) -> None:
    with pytest.raises(ProviderError, match="there is no ostree repository at /ostree/repo"):
        bootloader_setting.inspect(system, parse(setting="sysroot.bootloader", value="none"))


def test_systemd_boots_file_is_not_looked_for_behind_ostrees_link(system: System) -> None:
    system.make_folder("/boot/EFI/systemd")
    system.make_folder("/boot/loader.0")
    system.make_link("/boot/loader", "loader.0")
    with pytest.raises(ProviderError, match="no boot loader whose menu has a timeout"):
        bootloader_setting.inspect(system, parse(setting="timeout", value=3))


def test_grubs_configuration_cannot_be_made_for_a_machine_that_does_not_run(system: System) -> None:
    system.write("/etc/default/grub", b"GRUB_TIMEOUT=5\n")
    system.write("/boot/grub/grub.cfg", b"# made\n")
    spec = parse(setting="timeout", value=3)
    changes = bootloader_setting.diff(spec, bootloader_setting.inspect(system, spec))
    with pytest.raises(Later, match=r"grub\.cfg can be made only by the system itself"):
        bootloader_setting.apply(system, spec, changes)
    assert system.read("/etc/default/grub") == b"GRUB_TIMEOUT=5\n"


def test_only_what_is_unset_is_set() -> None:
    assert bootloader_setting.implied_only_if(parse(setting="timeout", value=3, only_if_unset=True)) == {
        "ensure": "absent"
    }
    assert bootloader_setting.implied_only_if(parse(setting="timeout", value=3)) == {}


def test_other_lines_stay(system: System) -> None:
    system.make_folder("/efi/EFI/systemd")
    system.write("/efi/loader/loader.conf", b"#timeout 3\ndefault *\ntimeout  5\neditor no")
    spec = parse(setting="timeout", value=2)
    bootloader_setting.apply(system, spec, bootloader_setting.diff(spec, bootloader_setting.inspect(system, spec)))
    assert system.read("/efi/loader/loader.conf") == b"#timeout 3\ndefault *\ntimeout 2\neditor no"
