"""A third party's type that gives a secret to a program, which repeats it on both its outputs and may then fail.

The digest of what was whispered last is in /var/whisper. With `fault: provider` the provider has a bug instead, whose
message quotes the secret.
"""

from collections.abc import Mapping

from attrs import field, frozen

from converge.model import Change, Claim, Domain, Effect, Secret
from converge.providers.protocol import DERIVED, Params, compare
from converge.system import ReadOnlySystem, System

TYPE = "whisper"
HEARD = "/var/whisper"
SCRIPT = """
for form in "$SECRET" "$(printf %s "$SECRET" | base64)" "$(printf %s "$SECRET" | od -An -v -tx1 | tr -d ' \\n')"; do
    echo "on stdout: $form, and so on"
    echo "on stderr: $form" >&2
done
cat
exit "$1"
"""


@frozen
class Spec:
    secret: Secret
    fault: str = ""


@frozen
class State:
    heard: str | None = None
    wanted: str | None = field(default=None, metadata=DERIVED)


def parse(params: Params) -> Spec:
    return Spec(**params)


def claims(spec: Spec) -> tuple[Claim, ...]:  # noqa: ARG001  (the protocol)
    return (Claim("whisper", HEARD, "heard"),)


def domains(system: ReadOnlySystem, spec: Spec) -> Mapping[str, Domain]:  # noqa: ARG001  (the protocol)
    return {"heard": Domain.MACHINE}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:
    heard = system.read(HEARD)
    return State(None if heard is None else heard.decode(), system.secret_digest(spec.secret))


def diff(spec: Spec, state: State) -> tuple[Change, ...]:  # noqa: ARG001  (the protocol)
    return compare({"heard": state.wanted}, state)


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    if spec.fault == "provider":
        raise KeyError(spec.secret.reveal())
    code = "3" if spec.fault == "program" else "0"
    argv = ["sh", "-c", SCRIPT, "sh", code]
    system.run(argv, environment={"SECRET": spec.secret}, stdin=spec.secret).require()
    for change in changes:
        system.write(HEARD, str(change.after).encode(), keep=False)
    return ()
