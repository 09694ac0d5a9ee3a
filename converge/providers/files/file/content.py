"""What a file is to hold: given outright, taken from a source, rendered, or merged with what a user made of it.

A merge brings together *theirs* (what the file holds), *ours* (what the manifest asks) and their *base*: the content of
ours that was delivered last, kept in the same domain as the file, so that a rollback takes back both. Ours is delivered
once it was merged in, or, where both sides changed the same lines, laid beside the user's file as
`<path>.converge-new`. The file is in place when it holds what the merge gives: a user's edits are no difference as long
as the manifest asks for the same, and a conflict is met once. Without a base (the file was there before converge) ours
is what it is to hold, and `on_user_change` decides whether it may.
"""

from converge.errors import ProviderError
from converge.model import Domain
from converge.providers.files.file.base import Spec
from converge.providers.files.file.merge import merge
from converge.providers.protocol import PRESENT, content, domain_of_path, given_file
from converge.system import ReadOnlySystem, System
from converge.system.store import address_of

BESIDE = ".converge-new"
CONFLICT = " beside it: "
"""Between an address and the words that say where its content lies, where a merge has conflicts."""


def wanted(system: ReadOnlySystem, spec: Spec, live: bytes | None) -> str | None:
    """The address of what the file is to hold; None where the manifest leaves that open."""
    ours = _ours(system, spec) if spec.ensure == PRESENT else None
    if ours is None:
        return None
    merged = _merged(system, spec, live, ours)
    if merged is not None:
        return address_of(merged)
    return f"{address_of(ours)}{CONFLICT}both sides changed the same lines, so ours goes to {spec.path}{BESIDE}"


def at(system: ReadOnlySystem, spec: Spec, address: str) -> bytes:
    """The bytes of an address: what is there already, what the store kept (for undo), or what the manifest asks."""
    live = system.read(spec.path)
    if live is not None and address_of(live) == address:
        return live
    asked = _ours(system, spec) if system.kept(address) is None else None
    if asked is not None and address_of(asked) != address:
        asked = _merged(system, spec, live, asked)
    return content(system, asked, address)


def delivered(system: System, spec: Spec) -> None:
    """Remember ours as the base. Only after the file is written: a run killed in between merges again, to the same."""
    ours = _ours(system, spec) if spec.merge == "three-way" else None
    if ours is not None:
        system.write(_base_path(system, spec), ours, mode=0o600, keep=False)


def _merged(system: ReadOnlySystem, spec: Spec, live: bytes | None, ours: bytes) -> bytes | None:
    """None where both sides changed the same lines."""
    if spec.merge == "replace" or live is None:
        return ours
    base = system.read(_base_path(system, spec))
    return ours if base is None else merge(base, live, ours)


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
    from jinja2 import StrictUndefined, TemplateError  # only a template has use for it
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    try:
        return environment.from_string(template.decode()).render(spec.variables).encode()
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise ProviderError(f"cannot render the template of {spec.path}: {error}") from error
