"""An app or a runtime in the system's flatpak installation, and the ref that it replaces.

Owns the deployed ref and, with `replaces`, the absence of the replaced ref, which is removed only after the new one is
installed. The data of users in ~/.var/app is never touched.
"""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from converge.errors import Later, ProviderError
from converge.model import Change, Domain, Effect, Thing, Value
from converge.providers.protocol import ABSENT, PRESENT, Desired, Params, Traits, values
from converge.system import ReadOnlySystem, System, flatpak

traits = Traits(
    domain=Domain.MACHINE,
    groups=(("ensure", "origin", "replaced"),),
    unprotected=("replaced",),
    added="installed",
    removed="uninstalled",
)


@frozen
class Replaced:
    app: str | None = None
    runtime: str | None = None
    branch: str | None = None
    remote: str | None = None


def _replaced(given: Mapping[str, str] | None) -> Replaced | None:
    return None if given is None else Replaced(**given)


def _arch(given: str | None) -> str:
    return given or flatpak.default_arch()


@frozen
class Spec:
    app: str | None = None
    runtime: str | None = None
    ensure: Literal["present", "absent"] = "present"
    remote: str | None = None
    branch: str = "stable"
    arch: str = field(default=None, converter=_arch)
    replaces: Replaced | None = field(default=None, converter=_replaced)
    metered: Literal["wait", "use"] = "wait"

    @property
    def ref(self) -> str:
        return "/".join((*_kind_and_id(self), self.arch, self.branch))


@frozen
class State:
    ensure: str
    origin: str | None = None
    replaced: str = ABSENT
    """Whether the ref that the app replaces is installed."""


def _kind_and_id(named: Spec | Replaced) -> tuple[str, str]:
    return ("app", named.app) if named.app is not None else ("runtime", str(named.runtime))


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.ensure == PRESENT and spec.remote is None:
        raise ProviderError(f"`remote` is required to install {spec.ref}", hint="for example `remote: flathub`")
    if spec.ensure == ABSENT and spec.replaces is not None:
        raise ProviderError("`replaces` and `ensure: absent` exclude each other", hint="remove one of them")
    return spec


def thing(spec: Spec) -> Thing:
    """The name is in flatpak's notation, which leaves out the machine's own architecture."""
    kind, id_ = _kind_and_id(spec)
    arch = "" if spec.arch == flatpak.default_arch() else spec.arch
    return Thing(f"flatpak {kind}", f"{id_}/{arch}/{spec.branch}", "flatpak-ref", spec.ref)


def declared(spec: Spec) -> Desired:
    if spec.ensure == ABSENT:
        return {"ensure": ABSENT}
    replaced: Desired = {} if spec.replaces is None else {"replaced": ABSENT}
    return {"ensure": PRESENT, "origin": spec.remote, **replaced}


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:  # noqa: ARG001  (the protocol)
    """The declared fields, and for an app that is removed also its origin: undo needs it."""
    return {"ensure": ABSENT, "origin": None} if spec.ensure == ABSENT else declared(spec)


def implied_only_if(spec: Spec) -> Mapping[str, Value]:
    return {} if spec.replaces is None else {"replaced": PRESENT}


def absent(spec: Spec, state: State) -> bool:  # noqa: ARG001  (the protocol)
    return state.ensure == ABSENT and state.replaced == ABSENT


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    origin = flatpak.origin_of(system, spec.ref)
    return State(ABSENT if origin is None else PRESENT, origin, PRESENT if _former(system, spec) else ABSENT)


def _former(system: ReadOnlySystem, spec: Spec) -> tuple[flatpak.InstalledRef, ...]:
    """The installed refs that the app replaces."""
    former = spec.replaces
    if former is None:
        return ()
    found = flatpak.matching(system, *_kind_and_id(former), spec.arch, former.branch)
    return tuple(ref for ref in found if former.remote in (None, ref.origin) and str(ref) != spec.ref)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    after = values(changes)
    if after.get("replaced") == PRESENT:
        _bring_back(system, spec)
    if after.get("ensure") == ABSENT:
        _uninstall(system, spec.ref)
    elif after.get("origin") is not None:
        _install(system, spec, str(after["origin"]))
    if after.get("replaced") == ABSENT:
        _remove_former(system, spec)
    return ()


def fetch(system: System, spec: Spec, changes: tuple[Change, ...]) -> None:
    """Download what `_install` will deploy; until then it stays in the repository, undeployed."""
    remote = values(changes).get("origin")
    if remote is not None and not flatpak.is_pulled(system, str(remote), spec.ref):
        _wait_while_metered(system, spec)
        flatpak.run(system, "install", "--no-deploy", str(remote), spec.ref)


def _install(system: System, spec: Spec, remote: str) -> None:
    origin = flatpak.origin_of(system, spec.ref)
    if origin != remote and not (origin is None and _deploy_fetched(system, spec, remote)):
        if remote not in flatpak.remotes(system):
            hint = "declare it as a `flatpak-remote` and add its id to `needs`"
            raise ProviderError(f"flatpak remote '{remote}' is missing", hint=hint)
        _wait_while_metered(system, spec)
        options = () if origin is None else ("--reinstall",)
        flatpak.run(system, "install", *options, remote, spec.ref)
    flatpak.finish(system, remote, spec.ref)


def _deploy_fetched(system: System, spec: Spec, remote: str) -> bool:
    """Deploy what an earlier fetch downloaded, without network; False if that is not enough."""
    if not flatpak.is_pulled(system, remote, spec.ref):
        return False
    try:
        flatpak.run(system, "install", "--no-pull", remote, spec.ref)
    except (Later, ProviderError):
        return False
    return True


def _wait_while_metered(system: ReadOnlySystem, spec: Spec) -> None:
    if spec.metered == "wait" and flatpak.is_metered(system):
        raise Later("the network is metered", until="network")


def _bring_back(system: System, spec: Spec) -> None:
    former = spec.replaces
    if former is None or former.branch is None or former.remote is None:
        message = f"cannot reinstall the ref that {spec.ref} replaced: its branch or remote is not declared"
        raise ProviderError(message, hint="set `branch` and `remote` in `replaces`")
    ref = "/".join((*_kind_and_id(former), spec.arch, former.branch))
    if flatpak.origin_of(system, ref) is None:
        flatpak.run(system, "install", former.remote, ref)


def _remove_former(system: System, spec: Spec) -> None:
    if flatpak.origin_of(system, spec.ref) is None:
        raise ProviderError(f"{spec.ref} is not installed: the ref that it replaces is not removed")
    for ref in _former(system, spec):
        _uninstall(system, str(ref))


def _uninstall(system: System, ref: str) -> None:
    if flatpak.origin_of(system, ref) is not None:
        flatpak.run(system, "uninstall", ref)
