"""The collection ID of an ostree or flatpak remote that is there already, without owning the remote.

Owns `collection-id` in the remote's group, and on an ostree remote `gpg-verify-summary`, which goes with it. The group
is in the repository's `config`; one of the system's own ostree repository may be in /etc/ostree/remotes.d instead.
"""

from collections.abc import Mapping

from attrs import frozen

from converge.errors import ProviderError
from converge.formats.keyfile import Keyfile
from converge.model import Change, Claim, Domain, Effect, Value
from converge.providers.protocol import Params, compare, domain_of_path, every_field, values
from converge.system import ReadOnlySystem, System, flatpak, ostree

TYPE = "collection-id"
GROUPS = (("collection_id", "gpg_verify_summary"),)


@frozen
class Spec:
    collection_id: str
    flatpak: str | None = None
    ostree: str | None = None
    repo: str | None = None
    remote: str | None = None
    gpg_verify_summary: bool | None = None

    @property
    def name(self) -> str:
        return self.flatpak or self.ostree or self.remote or ""

    @property
    def folder(self) -> str:
        """The repository."""
        if self.flatpak is not None:
            return flatpak.REPO
        return ostree.REPO if self.ostree is not None else (self.repo or "").rstrip("/")

    @property
    def group(self) -> str:
        return ostree.group_of(self.name)


@frozen
class State:
    collection_id: str | None = None
    gpg_verify_summary: bool | None = None


def parse(params: Params) -> Spec:
    return Spec(**params)


def claims(spec: Spec) -> tuple[Claim, ...]:
    in_flatpak = spec.folder == flatpak.REPO
    kind = "flatpak-remote" if in_flatpak else "ostree-remote"
    place = "system" if in_flatpak or spec.folder == ostree.REPO else spec.folder
    return tuple(Claim(kind, f"{place}:{spec.name}", name, value) for name, value in _desired(spec).items())


def _desired(spec: Spec) -> dict[str, Value]:
    """Clients check the signatures of commits, which the collection ID binds; an unsigned summary then does no harm."""
    if spec.gpg_verify_summary is not None:
        return {"collection_id": spec.collection_id, "gpg_verify_summary": spec.gpg_verify_summary}
    summary: dict[str, Value] = {} if spec.ostree is None else {"gpg_verify_summary": False}
    return {"collection_id": spec.collection_id, **summary}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    return every_field(State, domain_of_path(system, _find(system, spec) or f"{spec.folder}/config"))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    config = ostree.load(system, _require(system, spec))
    return State(config.get(spec.group, "collection-id") or None, config.get_boolean(spec.group, "gpg-verify-summary"))


def diff(spec: Spec, state: State) -> tuple[Change, ...]:
    return compare(_desired(spec), state)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    path = _require(system, spec)
    config, after = ostree.load(system, path), values(changes)
    if after.get("collection_id"):
        _require_fitting(system, spec, config, str(after["collection_id"]))
    for name, key in (("collection_id", "collection-id"), ("gpg_verify_summary", "gpg-verify-summary")):
        value = after.get(name)
        if isinstance(value, str | bool):
            config.set(spec.group, key, value)
        elif name in after:
            config.unset(spec.group, key)
    system.write(path, config.dump())
    if spec.folder == flatpak.REPO:
        flatpak.mark_changed(system)
    return ()


def _require_fitting(system: ReadOnlySystem, spec: Spec, config: Keyfile, collection_id: str) -> None:
    """Refuse what would make the next update fail, or go unchecked."""
    if config.get_boolean(spec.group, "gpg-verify") is False:
        raise ProviderError(
            f"the remote '{spec.name}' does not verify signatures, so it can have no collection ID",
            hint="give it a key and let it verify them first",
        )
    ostree.require_binding(system, spec.folder, spec.name, collection_id)


def _require(system: ReadOnlySystem, spec: Spec) -> str:
    path = _find(system, spec)
    if path is None:
        hint = "add the remote first: this only sets the collection ID of one that is there"
        raise ProviderError(f"there is no remote '{spec.name}' in {spec.folder}/config", hint=hint)
    return path


def _find(system: ReadOnlySystem, spec: Spec) -> str | None:
    """The file that holds the remote's group; where two do, the repository's own."""
    if spec.folder == ostree.REPO:
        return next(iter(ostree.files_with(system, spec.name)), None)
    path = f"{spec.folder}/config"
    return path if spec.group in ostree.load(system, path).groups() else None
