"""What the manifest asks of a profile, with the secrets that are in files; and what may be remembered of it."""

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from converge.errors import ProviderError
from converge.model import Secret, Value
from converge.providers.network.connection.base import Found, Spec
from converge.providers.protocol import given_file
from converge.system import ReadOnlySystem
from converge.system.secrets import is_digest
from converge.system.store import address_of, path_of

NAMESPACE = uuid.UUID("a5e7b5f0-7ac1-5b0e-9a5c-6f6b1f2c1b57")
"""Of the uuids that follow from names (RFC 9562, version 5)."""
LONGEST = 256
"""Characters; of a longer text only the address is remembered."""
LONGEST_SSID = 32
"""Bytes (IEEE 802.11)."""

_IN_FILES = {"psk": "psk_file", "password": "password_file"}
IEEE_8021X = (
    "eap",
    "identity",
    "anonymous_identity",
    "password",
    "ca_cert",
    "client_cert",
    "private_key",
    "private_key_password",
    "phase2",
)
_WIRELESS = ("ssid", "hidden", "security", "psk", "psk_file")
_PLAIN = ("interface", "autoconnect", "priority", "ssid", "hidden", "security", "psk", *IEEE_8021X)
_INNER = ("fast", "peap", "ttls")
"""The methods that have another one inside."""


def require_consistent(spec: Spec) -> None:
    """Refuse what contradicts itself, or what a profile cannot do without."""
    if spec.type is None:
        raise ProviderError("a connection needs a type", hint="for example `type: ethernet`")
    if spec.type == "wifi" and not spec.ssid:
        raise ProviderError("a wireless connection needs the name of its network", hint="give it as `ssid`")
    if len((spec.ssid or "").encode()) > LONGEST_SSID:
        raise ProviderError(
            f"the ssid '{spec.ssid}' is longer than {LONGEST_SSID} bytes", hint="no network has such a name"
        )
    given = [name for name in _WIRELESS if getattr(spec, name) is not None]
    if spec.type != "wifi" and given:
        raise ProviderError(f"{given[0]} is for `type: wifi`, and this is {spec.type}", hint="leave it out")
    if not spec.eap:
        _require_no_eap(spec)
    for name in ("ipv4", "ipv6"):
        asked = getattr(spec, name)
        if asked.method == "manual" and not asked.addresses:
            raise ProviderError(f"{name} has `method: manual`, and no address", hint="give it `addresses`")


def _require_no_eap(spec: Spec) -> None:
    given = [name for name in (*IEEE_8021X, "password_file") if getattr(spec, name)]
    named = given[0] if given else f"`security: {spec.security}`" if "-eap" in (spec.security or "") else None
    if named:
        raise ProviderError(f"{named} needs to know how one authenticates", hint="for example `eap: peap`")


def usual_uuid(name: str) -> str:
    return str(uuid.uuid5(NAMESPACE, name))


def settings(spec: Spec) -> dict[str, Found]:
    """Per field what is asked; None where it is to be unset, and for what is in a file."""
    given = {name: getattr(spec, name) for name in _PLAIN}
    for part in ("ipv4", "ipv6"):
        given |= {f"{part}_{name}": value for name, value in getattr(spec, part).settings(int(part[-1])).items()}
    given |= {"proxy_method": spec.proxy.method, "proxy_pac_url": spec.proxy.pac_url}
    if spec.eap in _INNER and spec.phase2 is None:
        given["phase2"] = "mschapv2"
    asked = {name: value for name, value in given.items() if value is not None}
    in_files = {name for name, file in _IN_FILES.items() if getattr(spec, file) is not None}
    unset = {name: None for name in (*_foreign(spec.security), *in_files) if name not in asked}
    return {**unset, **{name: value if value not in ("", ()) else None for name, value in asked.items()}}


def _foreign(security: str | None) -> tuple[str, ...]:
    """The credentials that another kind of security had."""
    if security is None:
        return ()
    own_psk, own_8021x = security.endswith(("-psk", "-sae")), "-eap" in security
    return (*(() if own_psk else ("psk",)), *(() if own_8021x else IEEE_8021X))


def in_full(system: ReadOnlySystem, spec: Spec) -> dict[str, Found]:
    """Per field what is asked, with what is in files."""
    files = {name: getattr(spec, file) for name, file in _IN_FILES.items()}
    found = settings(spec) | {name: _secret(system, file) for name, file in files.items() if file is not None}
    if spec.security == "wpa2-psk" and isinstance(found.get("psk"), Secret):
        _require_usable(found["psk"])
    return found


def _secret(system: ReadOnlySystem, file: Any) -> Secret:  # noqa: ANN401  (an Asset or a path)
    try:
        text = given_file(system, file).decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise ProviderError(f"the secret in {_name(file)} is no text in UTF-8") from error
    if not text:
        raise ProviderError(f"there is no secret in {_name(file)}", hint="the file is empty")
    return Secret(text)


def _name(file: Any) -> str:  # noqa: ANN401  (an Asset or a path)
    return str(getattr(file, "path", file))


def _require_usable(psk: Any) -> None:  # noqa: ANN401  (a Secret)
    """IEEE 802.11i: a passphrase of 8 to 63 printable ASCII characters, or the key itself."""
    if not re.fullmatch(r"[ -~]{8,63}|[0-9A-Fa-f]{64}", psk.reveal()):
        hint = "one has 8 to 63 printable ASCII characters, or 64 hexadecimal digits"
        raise ProviderError("WPA2 does not take the psk", hint=hint)


def remembered(system: ReadOnlySystem, value: Any) -> Any:  # noqa: ANN401  (a Value with secrets in it)
    """The value as it may be remembered: of a secret its digest, of a long text its address."""
    if isinstance(value, Secret):
        return system.secret_digest(value)
    if isinstance(value, Mapping):
        return {key: remembered(system, item) for key, item in value.items()}
    return address_of(value.encode("utf-8", "replace")) if isinstance(value, str) and len(value) > LONGEST else value


def meant(system: ReadOnlySystem, value: Value, known: Any) -> Any:  # noqa: ANN401  (of Value, with texts)
    """The value that stands for itself again: what a digest or address in it stands for is found in `known`."""
    texts = {remembered(system, each): each for each in _leaves(known)}

    def text_of(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, Mapping):
            return {key: text_of(item) for key, item in value.items()}
        if not isinstance(value, str):
            return value
        if value not in texts and (is_digest(value) or path_of(value)):
            raise ProviderError("the secret that was there before is not kept", hint="set it again by hand")
        text = texts.get(value, value)
        return text.reveal() if isinstance(text, Secret) else text

    return text_of(value)


def _leaves(value: Any) -> Iterator[Any]:  # noqa: ANN401
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, str | Secret):
        yield value
