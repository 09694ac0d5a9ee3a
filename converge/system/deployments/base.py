"""The deployments of an ostree system: those with a boot loader entry, and the staged one."""

from collections.abc import Mapping

from attrs import frozen

from converge.errors import ProviderError
from converge.formats.gvariant import dictionary
from converge.formats.keyfile import Keyfile
from converge.system import ReadOnlySystem, System, bootentries, ostree

TRANSIENT = "libostree-transient"
"""The group of an origin that holds for one deployment only, such as that it is pinned."""
TIME_LIMIT = 900.0
"""Seconds: everything that was written is synchronized to the disk."""

_OVERLAYS, _STAGED_OVERLAYS = "/ostree/initramfs-overlays/", "/run/ostree/staged-initrds"


@frozen
class Deployment:
    """`folder` is below /sysroot."""

    folder: str
    options: str
    """The arguments of the kernel."""
    overlays: tuple[str, ...] = ()
    """Paths of the archives that are laid over its initial RAM disk."""
    staged: bool = False

    @property
    def os_folder(self) -> str:
        """The folder of all deployments of its OS."""
        return self.folder.rpartition("/")[0]

    @property
    def os(self) -> str:
        return self.folder.split("/")[-3]

    @property
    def checksum(self) -> str:
        return self.folder.rpartition("/")[2].partition(".")[0]

    @property
    def serial(self) -> int:
        """How many times its commit had been deployed before."""
        return int(self.folder.rpartition(".")[2])

    def origin(self, system: ReadOnlySystem) -> Keyfile:
        """Its source, and how ostree treats it (`origin` files of ostree-admin(1))."""
        path = f"{self.folder}.origin"
        return Keyfile.parse(system.read(path) or b"", path)

    def has_hotfix(self, system: ReadOnlySystem) -> bool:
        """Whether its /usr was made writable and kept so (`ostree admin unlock --hotfix`)."""
        return self.origin(system).get("origin", "unlocked") == "hotfix"

    def is_pinned(self, system: ReadOnlySystem) -> bool:
        return self.origin(system).get(TRANSIENT, "pinned") == "true"


def is_booted(system: ReadOnlySystem) -> bool:
    """Whether ostree takes the root for the running system: not after a mere chroot(1)."""
    return system.live and system.stat(ostree.BOOTED) is not None


def deployed(system: ReadOnlySystem) -> tuple[Deployment, ...]:
    """Those that have an entry, in the order of booting, by which ostree itself counts them."""
    paths = system.glob(f"{bootentries.FOLDER}/ostree-*.conf")
    entries = bootentries.in_order(bootentries.parsed(system.read(path) or b"") for path in paths)
    found = ((entry, bootentries.deployed_at(entry)) for entry in entries)
    return tuple(
        Deployment(system.resolve(path), bootentries.options(entry), _overlays(entry)) for entry, path in found if path
    )


def _overlays(entry: bootentries.Entry) -> tuple[str, ...]:
    names = (path.rpartition("/")[2] for path in entry.get("initrd", ()) if _OVERLAYS in path)
    return tuple(f"/boot{_OVERLAYS}{name}" for name in names)


def staged(system: ReadOnlySystem) -> Deployment | None:
    """The deployment to make as the machine goes down; without own options it has those of the one it is merged from.

    ProviderError if the file that describes it cannot be read.
    """
    data = system.read(ostree.STAGED) if system.live else None
    if data is None:
        return None
    here = ostree.deployment(system) or ""
    try:
        found = dictionary(data)
        target = _folder(found["target"], here)
        source = _folder(found["merge-deployment"], here) if "merge-deployment" in found else None
    except (KeyError, ValueError) as error:
        hint = "reboot, so that the staged deployment is made"
        raise ProviderError(f"{ostree.STAGED} cannot be read", hint=hint) from error
    arguments, overlays = found.get("kargs"), found.get("overlay-initrds")
    inherited = (each.options for each in deployed(system) if each.folder == source)
    return Deployment(
        target,
        " ".join(arguments) if isinstance(arguments, tuple) else next(inherited, ""),
        tuple(f"{_STAGED_OVERLAYS}/{name}" for name in overlays) if isinstance(overlays, tuple) else (),
        staged=True,
    )


def _folder(deployment: object, here: str) -> str:
    """The folder of a deployment by its names; `here` is another one's."""
    names = deployment if isinstance(deployment, Mapping) else {}
    return f"{here.split('/deploy/')[0]}/deploy/{names['osname']}/deploy/{names['name']}"


def admin(system: System, *words: str) -> None:
    """ostree-admin(1); ProviderError if it fails."""
    system.run(["ostree", "admin", *words], timeout=TIME_LIMIT).require()
