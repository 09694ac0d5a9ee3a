"""An app or a runtime in the system's flatpak installation, and the ref that it replaces.

Owns the deployed ref and, with `replaces`, the absence of the other one, which goes only once this one is there. What
users have in ~/.var/app is never touched.
"""

from collections.abc import Mapping

from converge.errors import Later, ProviderError
from converge.model import Change, Claim, Domain, Effect, Value
from converge.providers.flatpak.app.base import Spec, State, kind_and_id
from converge.providers.protocol import ABSENT, PRESENT, Params, compare, every_field, values
from converge.system import ReadOnlySystem, System, flatpak
from converge.system.flatpak import InstalledRef

__all__ = [
    "GROUPS",
    "OURS",
    "TYPE",
    "Spec",
    "State",
    "absent",
    "apply",
    "claims",
    "diff",
    "domains",
    "fetch",
    "implied_only_if",
    "inspect",
    "parse",
]

TYPE = "flatpak-app"
GROUPS = (("ensure", "origin", "replaced"),)
OURS = ("replaced",)


def parse(params: Params) -> Spec:
    spec = Spec(**params)
    if spec.ensure == PRESENT and spec.remote is None:
        raise ProviderError(f"{spec.ref} needs a remote to come from", hint="give `remote`")
    if spec.ensure == ABSENT and spec.replaces is not None:
        raise ProviderError("`replaces` and `ensure: absent` exclude each other", hint="keep one of them")
    return spec


def claims(spec: Spec) -> tuple[Claim, ...]:
    wanted: dict[str, Value] = {"ensure": spec.ensure}
    if spec.ensure == PRESENT:
        wanted["origin"] = spec.remote
    if spec.replaces is not None:
        wanted["replaced"] = ABSENT
    return tuple(Claim("flatpak-ref", spec.ref, name, value) for name, value in wanted.items())


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (always below /var)
    return every_field(State, Domain.MACHINE)


def implied_only_if(spec: Spec) -> Mapping[str, Value]:
    return {} if spec.replaces is None else {"replaced": PRESENT}


def absent(spec: Spec, state: State) -> bool:  # noqa: ARG001  (the protocol)
    return state.ensure == ABSENT and state.replaced == ABSENT


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    origin = flatpak.origin_of(system, spec.ref)
    return State(ABSENT if origin is None else PRESENT, origin, PRESENT if _former(system, spec) else ABSENT)


def _former(system: ReadOnlySystem, spec: Spec) -> tuple[InstalledRef, ...]:
    """What is installed of what the app replaces."""
    asked = spec.replaces
    if asked is None:
        return ()
    kind, id_ = kind_and_id(asked).split("/")
    found = flatpak.matching(system, kind, id_, spec.arch, asked.branch)
    return tuple(ref for ref in found if asked.remote in (None, ref.origin) and str(ref) != spec.ref)


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    if spec.ensure == ABSENT:
        gone: dict[str, Value] = {"origin": None} if state.ensure == PRESENT else {}
        return (*compare({"ensure": ABSENT}, state), *compare(gone, state))
    return compare({"ensure": PRESENT, "origin": spec.remote, "replaced": ABSENT}, state)


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
    """Download what `_install` will deploy; it stays in the repository, undeployed, until then."""
    remote = values(changes).get("origin")
    if remote is not None and not flatpak.is_pulled(system, str(remote), spec.ref):
        _wait_while_metered(system, spec)
        flatpak.run(system, "install", "--no-deploy", str(remote), spec.ref)


def _install(system: System, spec: Spec, remote: str) -> None:
    origin = flatpak.origin_of(system, spec.ref)
    if origin != remote and not (origin is None and _deploy_fetched(system, spec, remote)):
        _require_remote(system, remote)
        _wait_while_metered(system, spec)
        anew = () if origin is None else ("--reinstall",)
        flatpak.run(system, "install", *anew, remote, spec.ref)
    flatpak.finish(system, remote, spec.ref)


def _deploy_fetched(system: System, spec: Spec, remote: str) -> bool:
    """Deploy what an earlier fetch brought, without network; False where that is not all of what it takes."""
    if not flatpak.is_pulled(system, remote, spec.ref):
        return False
    try:
        flatpak.run(system, "install", "--no-pull", remote, spec.ref)
    except (Later, ProviderError):
        return False
    return True


def _require_remote(system: ReadOnlySystem, remote: str) -> None:
    if remote not in flatpak.remotes(system):
        raise ProviderError(f"there is no flatpak remote '{remote}'", hint="declare it, and name it in `needs`")


def _wait_while_metered(system: ReadOnlySystem, spec: Spec) -> None:
    if spec.metered == "wait" and flatpak.is_metered(system):
        raise Later("the network is metered", until="network")


def _bring_back(system: System, spec: Spec) -> None:
    former = spec.replaces
    if former is None or former.branch is None or former.remote is None:
        raise ProviderError(f"what {spec.ref} replaced cannot be brought back", hint="say its branch and its remote")
    ref = f"{kind_and_id(former)}/{spec.arch}/{former.branch}"
    if flatpak.origin_of(system, ref) is None:
        flatpak.run(system, "install", former.remote, ref)


def _remove_former(system: System, spec: Spec) -> None:
    if flatpak.origin_of(system, spec.ref) is None:
        raise ProviderError(f"{spec.ref} is not installed, so what it replaces is left alone")
    for ref in _former(system, spec):
        _uninstall(system, str(ref))


def _uninstall(system: System, ref: str) -> None:
    if flatpak.origin_of(system, ref) is not None:
        flatpak.run(system, "uninstall", ref)
