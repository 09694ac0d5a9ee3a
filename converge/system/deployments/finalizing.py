"""Having the staged deployment made as the machine goes down, also early in its boot.

A service of ostree does that as it is stopped. It is started once the boot comes to the usual services, and cannot be
before: its dependencies put it before basic.target and also after that, which is a cycle until that is reached. For a
machine that is rebooted until then, a unit of ours does it, which does not outlast the boot.
"""

from converge.system import System, systemd

_THEIRS, _OURS = "ostree-finalize-staged.service", "converge-finalize-staged.service"
_AS_THEIRS = (
    "Type=oneshot",
    "RemainAfterExit=yes",
    "DefaultDependencies=no",
    "RequiresMountsFor=/sysroot /boot",
    "Conflicts=final.target",
    "Before=final.target",
    f"After=local-fs.target systemd-journal-flush.service {_THEIRS}",
    "TimeoutStopSec=5min",
    "ExecStop=ostree admin finalize-staged",
)


def arrange_finalizing(system: System) -> None:
    """ProviderError if nothing would make the staged deployment."""
    if not systemd.manages(system):
        return
    if systemd.is_active(system, "basic.target"):
        systemd.start_soon(system, _THEIRS)
    elif not systemd.is_active(system, _OURS):
        properties = [f"--property={each}" for each in _AS_THEIRS]
        system.run(["systemd-run", "--quiet", "--no-block", f"--unit={_OURS}", *properties, "true"]).require()
