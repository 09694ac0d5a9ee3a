"""The declared settings of a profile, with secrets from files; and the form in which they may be remembered."""

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from converge.errors import ProviderError
from converge.model import Asset, Depends, Secret, Value
from converge.providers.network.connection import profile
from converge.providers.network.connection.spec import Found, Spec
from converge.system import ReadOnlySystem
from converge.system.contents import LONGEST, given_file
from converge.system.secrets import is_digest
from converge.system.store import address_of, path_of

NAMESPACE = uuid.UUID("a5e7b5f0-7ac1-5b0e-9a5c-6f6b1f2c1b57")
"""Of the uuids that are derived from names (RFC 9562, version 5)."""
LONGEST_SSID = 32
"""Bytes (IEEE 802.11)."""

_IN_FILES = {"psk": "psk_file", "password": "password_file"}
IEEE_8021X = profile.fields_in("802-1x")
_WIRELESS = (*profile.fields_in("wifi", "wifi-security"), "psk_file")
_PLAIN = ("interface", "autoconnect", "priority", *profile.fields_in("wifi", "wifi-security", "802-1x"))
_INNER = ("fast", "peap", "ttls")
"""The methods that contain another one."""
_PSK = re.compile(r"[ -~]{8,63}|[0-9A-Fa-f]{64}")
"""A passphrase, or the key itself."""


def require_consistent(spec: Spec) -> None:
    """ProviderError if parameters contradict each other, or a required one is missing."""
    if spec.type is None:
        raise ProviderError("`type` is required unless `ensure: absent`", hint="for example `type: ethernet`")
    if spec.type == "wifi" and not spec.ssid:
        raise ProviderError("`type: wifi` requires `ssid`", hint="set `ssid` to the name of the wireless network")
    if len((spec.ssid or "").encode()) > LONGEST_SSID:
        message = f"the ssid '{spec.ssid}' is longer than {LONGEST_SSID} bytes: no network can have this name"
        raise ProviderError(message, hint="set `ssid` to the name of the wireless network")
    given = [name for name in _WIRELESS if getattr(spec, name) is not None]
    if spec.type != "wifi" and given:
        message = f"`{given[0]}` requires `type: wifi`, but the type is {spec.type}"
        raise ProviderError(message, hint=f"remove `{given[0]}`")
    if not spec.eap:
        _require_no_eap(spec)
    for name, example in (("ipv4", "10.0.0.2/24"), ("ipv6", "fd00::2/64")):
        network = getattr(spec, name)
        if network.method == "manual" and not network.addresses:
            hint = f'for example `addresses: ["{example}"]`'
            raise ProviderError(f"`{name}.method: manual` requires `{name}.addresses`", hint=hint)


def _require_no_eap(spec: Spec) -> None:
    given = [name for name in (*IEEE_8021X, "password_file") if getattr(spec, name)]
    named = given[0] if given else f"security: {spec.security}" if "-eap" in (spec.security or "") else None
    if named:
        raise ProviderError(f"`{named}` requires `eap`, the method of authentication", hint="for example `eap: peap`")


def default_uuid(name: str) -> str:
    return str(uuid.uuid5(NAMESPACE, name))


def settings(spec: Spec) -> "dict[str, Found | Depends]":
    """Per field the declared value; None unsets it. A secret from a file depends on the machine."""
    given = {name: getattr(spec, name) for name in _PLAIN}
    for part in ("ipv4", "ipv6"):
        given |= {f"{part}_{name}": value for name, value in getattr(spec, part).settings(int(part[-1])).items()}
    given |= {"proxy_method": spec.proxy.method, "proxy_pac_url": spec.proxy.pac_url}
    if spec.eap in _INNER and spec.phase2 is None:
        given["phase2"] = "mschapv2"
    given = {name: None if value in ("", ()) else value for name, value in given.items() if value is not None}
    in_files = [name for name, file in _IN_FILES.items() if getattr(spec, file) is not None]
    unset = [name for name in _unused_credentials(spec.security) if name not in given]
    return {**dict.fromkeys(unset), **dict.fromkeys(in_files, Depends.ON_MACHINE), **given}


def _unused_credentials(security: str | None) -> tuple[str, ...]:
    """The credentials that only other kinds of security use."""
    if security is None:
        return ()
    own_psk, own_8021x = security.endswith(("-psk", "-sae")), "-eap" in security
    return (*(() if own_psk else ("psk",)), *(() if own_8021x else IEEE_8021X))


def in_full(system: ReadOnlySystem, spec: Spec) -> dict[str, Any]:
    """Per field the declared value, with secrets from files. IEEE 802.11i defines a valid `psk` of WPA2."""
    files = {name: getattr(spec, file) for name, file in _IN_FILES.items()}
    found = settings(spec) | {name: _secret(system, file) for name, file in files.items() if file is not None}
    psk = found.get("psk")
    if spec.security == "wpa2-psk" and isinstance(psk, Secret) and not _PSK.fullmatch(psk.reveal()):
        hint = "use 8 to 63 printable ASCII characters, or 64 hexadecimal digits"
        raise ProviderError("the psk is not valid for WPA2", hint=hint)
    return found


def _secret(system: ReadOnlySystem, file: Asset | str) -> Secret:
    name = file if isinstance(file, str) else file.path
    try:
        text = given_file(system, file).decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise ProviderError(f"the secret in {name} is not UTF-8 text") from error
    if not text:
        raise ProviderError(f"{name} is empty: it must contain the secret", hint="write the secret into the file")
    return Secret(text)


def remembered(system: ReadOnlySystem, value: Any) -> Any:  # noqa: ANN401  (a Value with secrets in it)
    """The value as a ledger may contain it: a digest for a secret, an address for a long text."""
    if isinstance(value, Secret):
        return system.secret_digest(value)
    if isinstance(value, Mapping):
        return {key: remembered(system, item) for key, item in value.items()}
    return address_of(value.encode("utf-8", "replace")) if isinstance(value, str) and len(value) > LONGEST else value


def restored(system: ReadOnlySystem, value: Value, known: Any) -> Any:  # noqa: ANN401  (of Value, with texts)
    """The opposite of `remembered`: each digest or address is replaced by its secret or text, found in `known`."""
    texts = {remembered(system, each): each for each in _leaves(known)}

    def text_of(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, Mapping):
            return {key: text_of(item) for key, item in value.items()}
        if not isinstance(value, str):
            return value
        if value not in texts and (is_digest(value) or path_of(value)):
            raise ProviderError("the previous secret was not kept", hint="set the secret again by hand")
        text = texts.get(value, value)
        return text.reveal() if isinstance(text, Secret) else text

    return text_of(value)


def _leaves(value: Any) -> Iterator[Any]:  # noqa: ANN401
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, str | Secret):
        yield value
