"""What is asked of a flatpak remote, and what is found of one."""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from converge.model import Asset, Value
from converge.providers.protocol import DERIVED


@frozen(kw_only=True)
class Fields:
    """What the manifest may ask of a remote, and what is found there; None: not asked, not set."""

    ensure: Literal["present", "absent"] = "present"
    url: str | None = None
    title: str | None = None
    comment: str | None = None
    description: str | None = None
    homepage: str | None = None
    icon: str | None = None
    collection_id: str | None = None
    verify: bool | None = None
    filter: str | None = None
    priority: int | None = None
    enumerate: bool | None = None
    use_for_deps: bool | None = None
    default_branch: str | None = None
    subset: str | None = None
    disabled: bool | None = None


@frozen(kw_only=True)
class Spec(Fields):
    name: str
    flatpakrepo: Asset | str | None = None
    host: str | None = None
    with_host: str | None = None
    gpg_key: Asset | str | None = None


@frozen(kw_only=True)
class State(Fields):
    gpg_key: tuple[str, ...] | None = None
    """The fingerprints of the trusted keys, sorted."""
    wanted: Mapping[str, Value] = field(factory=dict, metadata=DERIVED)
    """Per managed field what it is to be: files on the machine may say so."""
