from typing import Any

from converge.providers.swap.zram.generator import PROGRAMS
from converge.system import System
from tests.laws.workshop import Workshop, make

MIB = 1 << 20
OWN = "/etc/systemd/zram-generator.conf.d/90-converge-zram0.conf"
DEBIANS = "/etc/systemd/zram-generator.conf"


def with_generator(system: System) -> None:
    system.write(PROGRAMS[0], b"", mode=0o755)


def new_unit(_: System, __: Workshop) -> dict[str, Any]:
    return {"size": "1173MiB", "algorithms": ["zstd", "lz4"], "host_memory_limit": "8GiB"}


def other_unit(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "zram", device="zram1", size="1GiB", host_memory_limit="2GiB")
    return {"device": "zram1", "size": 500 * MIB, "algorithms": ["lz4"], "priority": 7}


def new_file(system: System, _: Workshop) -> dict[str, Any]:
    with_generator(system)
    return {"size": 1173 * MIB + 5, "algorithms": ["zstd"], "host_memory_limit": "8GiB"}


def file_beside_debians(system: System, _: Workshop) -> dict[str, Any]:
    with_generator(system)
    system.write(DEBIANS, b"# a bare section\n[zram0]\n")
    return {"size": "1GiB", "priority": 32767}


def file_over_what_others_say(system: System, _: Workshop) -> dict[str, Any]:
    with_generator(system)
    system.write(f"/usr/lib{DEBIANS[4:]}", b"[zram0]\nzram-size=ram\n")
    system.write("/usr/lib/systemd/zram-generator.conf.d/50-vendor.conf", b"[zram0]\nzram-size = ram * 2\n[zram1]\n")
    system.write(OWN, b"[zram0]\nzram-size = 7\nswap-priority=3\nhost-memory-limit = none\n")
    return {"size": "2GiB", "host_memory_limit": "4GiB"}


def file_over_obsolete_options(system: System, _: Workshop) -> dict[str, Any]:
    with_generator(system)
    system.write(DEBIANS, b"[zram0]\nzram-fraction = 1.0\nmax-zram-size = 4096\nmemory-limit = 9999\n")
    return {"size": "2GiB", "host_memory_limit": "4GiB", "priority": -1}


def obsolete_options_switched_off(system: System, _: Workshop) -> dict[str, Any]:
    with_generator(system)
    system.write(DEBIANS, b"[zram0]\nmax-zram-size = none\n")
    return {"ensure": "absent"}


def generator_that_has_come(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "zram", size="1GiB", algorithms=["lz4"])
    with_generator(system)
    return {"size": "1GiB"}


def generator_that_has_come_to_several_algorithms(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "zram", size="1GiB", algorithms=["zstd", "lz4"])
    with_generator(system)
    return {"size": "2GiB"}


def generator_that_has_gone(system: System, _: Workshop) -> dict[str, Any]:
    system.write(OWN, b"[zram0]\nzram-size = 1024\n")
    return {"size": "2GiB"}


def unit_no_more(system: System, _: Workshop) -> dict[str, Any]:
    make(system, "zram", size="1GiB", algorithms=["lz4"], host_memory_limit="2GiB")
    return {"ensure": "absent"}


def file_no_more(system: System, _: Workshop) -> dict[str, Any]:
    with_generator(system)
    make(system, "zram", size="1GiB")
    return {"ensure": "absent"}


def switched_off(system: System, _: Workshop) -> dict[str, Any]:
    with_generator(system)
    system.write(DEBIANS, b"[zram0]\n")
    return {"ensure": "absent"}


def file_left_behind(system: System, _: Workshop) -> dict[str, Any]:
    system.write(OWN, b"[zram0]\nzram-size = 1024\n")
    return {"ensure": "absent"}


def masked_file(system: System, _: Workshop) -> dict[str, Any]:
    with_generator(system)
    make(system, "zram", size="1GiB")
    system.make_link("/etc/systemd/system/dev-zram0.swap", "/dev/null")
    return {"size": "1GiB", "algorithms": ["lz4"]}


def masked_unit(system: System, _: Workshop) -> dict[str, Any]:
    system.make_link("/etc/systemd/system/converge-zram0.service", "/dev/null")
    return {"size": "1GiB", "algorithms": ["zstd", "lz4"]}


SPECIMENS = (
    file_beside_debians,
    file_left_behind,
    file_no_more,
    file_over_obsolete_options,
    file_over_what_others_say,
    generator_that_has_come,
    generator_that_has_come_to_several_algorithms,
    generator_that_has_gone,
    masked_file,
    masked_unit,
    new_file,
    new_unit,
    obsolete_options_switched_off,
    other_unit,
    switched_off,
    unit_no_more,
)
