"""The desired content of a file: literal, from a source, rendered, or merged with a user's changes.

A merge combines *theirs* (the content of the file), *ours* (the declared content) and their *base*: the content of ours
that was delivered last, kept in the same domain as the file, so that a rollback takes back both. Ours is delivered if
it was merged or, because both sides changed the same lines, written beside the user's file as `<path>.converge-new`.
The file is in place if it equals the result of the merge: a user's edits are not a difference as long as the
declaration stays the same, and a conflict is handled once. Without a base (the file is older than converge) the desired
content is ours, and `on_user_change` decides whether it is written.
"""

from converge.errors import ProviderError
from converge.model import Domain
from converge.providers.files.file.merge import merge
from converge.providers.files.file.spec import Spec
from converge.providers.protocol import domain_of_path
from converge.system import ReadOnlySystem, System
from converge.system.contents import content_of, given_file
from converge.system.store import address_of

BESIDE = ".converge-new"
CONFLICT = " beside it: "
"""After a conflict: separates the address of the content from the words about its place."""


def wanted(system: ReadOnlySystem, spec: Spec) -> str | None:
    """The address of the desired content; None if the manifest does not declare it."""
    ours = _ours(system, spec)
    if ours is None:
        return None
    merged = _merged(system, spec, ours)
    if merged is not None:
        return address_of(merged)
    return f"{address_of(ours)}{CONFLICT}both sides changed the same lines, so ours goes to {spec.path}{BESIDE}"


def at(system: ReadOnlySystem, spec: Spec, address: str) -> bytes:
    """The bytes of an address: from the file itself, from the store (for undo), or from the declaration."""
    live = system.read(spec.path)
    if live is not None and address_of(live) == address:
        return live
    new = _ours(system, spec) if system.kept(address) is None else None
    if new is not None and address_of(new) != address:
        new = _merged(system, spec, new)
    return content_of(system, new, address)


def delivered(system: System, spec: Spec) -> None:
    """Keep ours as the base, after the file is written: if killed in between, the next merge gives the same result."""
    ours = _ours(system, spec) if spec.merge == "three-way" else None
    if ours is not None:
        system.write(_base_path(system, spec), ours, mode=0o600, keep=False)


def _merged(system: ReadOnlySystem, spec: Spec, ours: bytes) -> bytes | None:
    """The merged content; None if both sides changed the same lines."""
    base = system.read(_base_path(system, spec)) if spec.merge == "three-way" else None
    live = None if base is None else system.read(spec.path)
    return ours if base is None or live is None else merge(base, live, ours)


def _base_path(system: ReadOnlySystem, spec: Spec) -> str:
    deployment = domain_of_path(system, spec.path) is Domain.DEPLOYMENT
    folder = "/etc/converge/merged" if deployment else "/var/lib/converge/merged"
    return f"{folder}/{address_of(spec.path.encode()).removeprefix('sha256:')}"


def _ours(system: ReadOnlySystem, spec: Spec) -> bytes | None:
    if spec.content is not None:
        return spec.content.encode()
    if spec.source is not None:
        return given_file(system, spec.source)
    if spec.template is not None:
        return _rendered(given_file(system, spec.template), spec)
    return None


def _rendered(template: bytes, spec: Spec) -> bytes:
    from jinja2 import StrictUndefined, TemplateError  # only templates need it
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    try:
        return environment.from_string(template.decode()).render(spec.variables).encode()
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ProviderError(f"cannot render the template of {spec.path}: {error}") from error
