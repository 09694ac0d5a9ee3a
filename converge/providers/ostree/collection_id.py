"""The collection ID of an existing ostree or flatpak remote, without owning the remote.

Owns `collection-id` in the remote's group, and on an ostree remote also `gpg-verify-summary`, which depends on it. The
group is in the repository's `config`; a remote of the system's own repository may be in /etc/ostree/remotes.d instead.
"""

from collections.abc import Mapping

from attrs import frozen

from converge.errors import ProviderError
from converge.formats.keyfile import Keyfile
from converge.model import Change, Domain, Effect, Thing
from converge.providers.ostree import remotefile
from converge.providers.protocol import Declared, Traits, domain_of_path, field_names, values
from converge.system import ReadOnlySystem, System, flatpak, ostree

traits = Traits(groups=(("collection_id", "gpg_verify_summary"),))


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


def thing(spec: Spec) -> Thing:
    """The remote, named as the type that owns it names it."""
    if spec.folder == flatpak.REPO:
        return Thing("flatpak remote", spec.name, "flatpak-remote", f"system:{spec.name}")
    if spec.folder == ostree.REPO:
        return Thing("ostree remote", spec.name, "ostree-remote", f"system:{spec.name}")
    return Thing("ostree remote", f"{spec.name} in {spec.folder}", "ostree-remote", f"{spec.folder}:{spec.name}")


def declared(spec: Spec) -> Declared:
    """Clients check the signatures of commits, which the collection ID binds; an unsigned summary then does no harm."""
    if spec.gpg_verify_summary is not None:
        return {"collection_id": spec.collection_id, "gpg_verify_summary": spec.gpg_verify_summary}
    summary: Declared = {} if spec.ostree is None else {"gpg_verify_summary": False}
    return {"collection_id": spec.collection_id, **summary}


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:
    return dict.fromkeys(field_names(State), domain_of_path(system, _find(system, spec) or f"{spec.folder}/config"))


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    found = remotefile.read(ostree.load(system, _require(system, spec)), spec.group)
    return State(found["collection_id"], found["gpg_verify_summary"])


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    path = _require(system, spec)
    config, after = ostree.load(system, path), values(changes)
    if after.get("collection_id"):
        _require_fitting(system, spec, config, str(after["collection_id"]))
    remotefile.write(config, spec.group, after)
    system.write(path, config.dump())
    if spec.folder == flatpak.REPO:
        flatpak.mark_changed(system)
    return ()


def _require_fitting(system: ReadOnlySystem, spec: Spec, config: Keyfile, collection_id: str) -> None:
    """ProviderError if the next update would fail, or would not be verified."""
    if config.get_boolean(spec.group, "gpg-verify") is False:
        raise ProviderError(
            f"remote '{spec.name}' does not verify signatures: a collection ID requires this",
            hint="first declare the remote with a `gpg_key`, which also enables verification",
        )
    ostree.require_binding(system, spec.folder, spec.name, collection_id)


def _require(system: ReadOnlySystem, spec: Spec) -> str:
    path = _find(system, spec)
    if path is None:
        hint = "add the remote first: `collection-id` only changes an existing remote"
        raise ProviderError(f"remote '{spec.name}' is missing in {spec.folder}/config", hint=hint)
    return path


def _find(system: ReadOnlySystem, spec: Spec) -> str | None:
    """The file that contains the remote's group; if two do, the repository's own."""
    if spec.folder == ostree.REPO:
        return next(iter(ostree.files_with(system, spec.name)), None)
    path = f"{spec.folder}/config"
    return path if spec.group in ostree.load(system, path).groups() else None
