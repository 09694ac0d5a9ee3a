"""A third party's type that gives a secret to a program, which repeats it on both its outputs and may then fail.

The digest of what was whispered last is in /var/whisper. With `fault: provider` the provider has a bug instead, whose
message quotes the secret.
"""

from attrs import frozen

from converge.model import Change, Depends, Domain, Effect, Secret, Thing
from converge.providers.protocol import Declared, Desired, Traits
from converge.system import ReadOnlySystem, System

traits = Traits(domain=Domain.MACHINE)

RECEIVED = "/var/whisper"
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
    received: str | None = None


def thing(spec: Spec) -> Thing:  # noqa: ARG001  (the protocol)
    return Thing("whisper", RECEIVED, "whisper", RECEIVED)


def declared(spec: Spec) -> Declared:  # noqa: ARG001  (the protocol)
    """The digest of a secret is made with a key that each machine has for itself."""
    return {"received": Depends.ON_MACHINE}


def inspect(system: ReadOnlySystem, spec: Spec) -> State:  # noqa: ARG001  (the protocol)
    data = system.read(RECEIVED)
    return State(None if data is None else data.decode())


def desired(system: ReadOnlySystem, spec: Spec, state: State) -> Desired:  # noqa: ARG001  (the protocol)
    return {"received": system.secret_digest(spec.secret)}


def apply(system: System, spec: Spec, changes: tuple[Change, ...]) -> tuple[Effect, ...]:
    if spec.fault == "provider":
        raise KeyError(spec.secret.reveal())
    code = "3" if spec.fault == "program" else "0"
    argv = ["sh", "-c", SCRIPT, "sh", code]
    system.run(argv, environment={"SECRET": spec.secret}, stdin=spec.secret).require()
    for change in changes:
        system.write(RECEIVED, str(change.after).encode(), keep=False)
    return ()
