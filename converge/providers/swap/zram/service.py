"""A unit of our own that makes the device, for systems without zram-generator."""

import re
from typing import Any

from converge.system import ReadOnlySystem, System, unitfiles

TARGET = "swap.target"

_UNIT = """\
[Unit]
Description=Swap in compressed memory on /dev/{device}
DefaultDependencies=no
After=systemd-modules-load.service
Before={target} shutdown.target
Conflicts=shutdown.target
ConditionVirtualization=!container
{limit}
[Service]
Type=oneshot
Environment=SIZE={size} PRIORITY={priority} "ALGORITHMS={algorithm}"
ExecCondition=sh -c '! grep -q "^/dev/{device} " /proc/swaps'
ExecStart=-modprobe zram
ExecStart=sh -c 'until test -e /sys/block/{device}; do cat /sys/class/zram-control/hot_add || exit 1; done'
ExecStart=-sh -c 'swaplabel /dev/{device} && echo 1 >/sys/block/{device}/reset'
ExecStart=-sh -c 'for each in $ALGORITHMS; do echo "$each" >/sys/block/{device}/comp_algorithm && break; done'
ExecStart=sh -c 'echo "$SIZE" >/sys/block/{device}/disksize'
ExecStart=mkswap /dev/{device}
ExecStart=swapon --discard --priority ${{PRIORITY}} /dev/{device}

[Install]
WantedBy={target}
"""
"""The unit ends once the device is in use: systemd then knows it as `dev-zram0.swap`, from /proc/swaps, which turns it
off. So the unit can be started again after somebody turned the swap off, and it does nothing if the device is in use.

A device that was used as swap is recreated. A device with other contents has a size, which cannot be set again: the
unit fails, and the device stays as it is. The kernel takes the first algorithm that it has, or else its own default.
"""
_SETTINGS = re.compile(r'^Environment=SIZE=(\d+) PRIORITY=(-?\d+) "ALGORITHMS=([^"\n]*)"$', re.MULTILINE)
_LIMIT = re.compile(r"^ConditionMemory=<=(\d+)$", re.MULTILINE)


def unit_of(device: str) -> str:
    return f"converge-{device}.service"


def configured(system: ReadOnlySystem, device: str) -> dict[str, Any] | None:
    """The settings of a device in our unit, as state fields; None if the boot does not start it."""
    path, link = _paths(device)
    text = unitfiles.text_of(system, path) or ""
    settings, limit = _SETTINGS.search(text), _LIMIT.search(text)
    if settings is None or system.read_link(link) is None:
        return None
    size, priority, algorithm = settings.groups()
    return {
        "size": int(size),
        "host_memory_limit": int(limit[1]) if limit else None,
        "algorithm": algorithm or None,
        "priority": int(priority),
    }


def write(system: System, device: str, fields: dict[str, Any]) -> None:
    path, link = _paths(device)
    limit = fields.get("host_memory_limit")
    text = _UNIT.format(
        device=device,
        target=TARGET,
        limit="" if limit is None else f"ConditionMemory=<={limit}\n",
        size=fields["size"],
        algorithm=fields.get("algorithm") or "",
        priority=fields["priority"],
    )
    system.write(path, text.encode())
    system.make_link(link, path)


def remove(system: System, device: str) -> None:
    path, link = _paths(device)
    system.remove(link)
    system.remove(path)


def _paths(device: str) -> tuple[str, str]:
    """The unit file, and the link that starts it."""
    name = unit_of(device)
    return f"{unitfiles.CONFIG}/{name}", f"{unitfiles.CONFIG}/{TARGET}.wants/{name}"
