"""What is asked of an ostree remote, or of all of them, and what is found."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from attrs import converters, field, frozen

from converge.model import Asset, Value
from converge.providers.protocol import DERIVED
from converge.system import ReadOnlySystem, ostree

Place: TypeAlias = Literal["repo", "remotes.d"]


@frozen(kw_only=True)
class Fields:
    """What the manifest may ask of a remote, and what is found there; None: not asked, not set."""

    ensure: Literal["present", "absent"] = "present"
    stored_in: Place | None = None
    url: str | None = None
    content_url: str | None = None
    collection_id: str | None = None
    gpg_verify: bool | None = None
    gpg_verify_summary: bool | None = None
    branches: tuple[str, ...] | None = field(default=None, converter=converters.optional(tuple))
    proxy: str | None = None
    tls_ca_path: str | None = None
    tls_client_cert_path: str | None = None
    tls_client_key_path: str | None = None


@frozen(kw_only=True)
class Spec(Fields):
    name: str = ""
    gather: bool = False
    host: str | None = None
    with_host: str | None = None
    gpg_key: Asset | str | None = None


@frozen(kw_only=True)
class State(Fields):
    gpg_key: tuple[str, ...] | None = None
    """The fingerprints of the trusted keys, sorted."""
    add_remotes_config_dir: bool | None = None
    """With `gather`, as the next two: whether new remotes go to remotes.d; None: not said."""
    conf_files: Mapping[str, str] | None = None
    """Per file in remotes.d the address of its content."""
    remotes: tuple[str, ...] | None = None
    """The remotes that are in the repository's configuration, sorted."""
    wanted: Mapping[str, Value] = field(factory=dict, metadata=DERIVED)
    """Per managed field what it is to be: files on the machine may say so."""


def files_of(system: ReadOnlySystem, spec: Spec) -> tuple[str, ...]:
    """The files that hold the remote, where it is looked for; where two do, the repository's own counts."""
    found = ostree.files_with(system, spec.name)
    return tuple(path for path in found if spec.stored_in in (None, place_of(path)))


def place_of(path: str) -> Place:
    return "repo" if path == ostree.CONFIG else "remotes.d"


def new_file(name: str, place: Value) -> str:
    """The file for a remote that is to be added."""
    return f"{ostree.REMOTES_D}/{name}.conf" if place == "remotes.d" else ostree.CONFIG
