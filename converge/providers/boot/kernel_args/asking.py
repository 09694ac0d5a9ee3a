"""What a manifest asks of the kernel's arguments."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from converge.errors import ProviderError, shown
from converge.model import Value
from converge.providers.boot import bootargs
from converge.providers.boot.bootargs import Argument
from converge.providers.protocol import told


def _argument(text: str) -> Argument:
    """One argument; a value with blanks may stand in quotes or not."""
    words = bootargs.split(text)
    found = Argument.of(text) if len(words) == 1 else Argument(*text.split("=", 1))
    is_key = found.key not in ("", "--") and not set(' "').intersection(found.key)
    is_value = '"' not in (found.value or "") and text.count('"') % 2 == 0
    if not (is_key and is_value and text.isprintable()):
        raise ProviderError(f"'{shown(text)}' is no kernel argument", hint='write it as quiet, console=tty0 or a="b c"')
    return found


def _arguments(texts: Sequence[str]) -> tuple[Argument, ...]:
    return tuple(map(_argument, texts))


def _values(asked: Mapping[str, Any]) -> dict[str, tuple[Argument, ...]]:
    """Per key its arguments, of one value or several."""
    several = {key: (value,) if isinstance(value, str) else value for key, value in asked.items()}
    return {key: tuple(_argument(f"{key}={each}") for each in texts) for key, texts in several.items()}


@frozen
class Spec:
    append: tuple[Argument, ...] = field(default=(), converter=_arguments)
    delete: tuple[Argument, ...] = field(default=(), converter=_arguments)
    replace: Mapping[str, tuple[Argument, ...]] = field(factory=dict, converter=_values)

    @property
    def whole(self) -> tuple[Argument, ...]:
        """The keys that are governed with all their arguments."""
        return (*(each for each in self.delete if each.value is None), *map(Argument, self.replace))

    @property
    def single(self) -> tuple[Argument, ...]:
        """The arguments that are governed each by itself."""
        return (*self.append, *(each for each in self.delete if each.value is not None))

    def asked(self, key: str) -> str:
        """The arguments that a whole key is to have, as one text."""
        return " ".join(map(str, self.replace.get(key, ())))

    @property
    def wanted(self) -> dict[str, Mapping[str, Value]]:
        """The fields of the state that are managed, and what they are to be."""
        arguments = {str(each): each in self.append or None for each in self.single}
        keys = {each.key: told(self.asked(each.key)) or None for each in self.whole}
        return {name: value for name, value in (("arguments", arguments), ("keys", keys)) if value}


def require_possible(spec: Spec) -> None:
    """ProviderError for what contradicts itself, and for what would leave a machine that does not boot."""
    if not spec.wanted:
        raise ProviderError("there is nothing to set", hint="give `append`, `delete` or `replace`")
    for argument in (*spec.append, *spec.delete, *spec.whole):
        if argument.has_key("ostree"):
            raise ProviderError("ostree= is not changed: ostree itself sets it", hint="leave it out")
        if argument.has_key("root") and argument not in spec.append:
            raise ProviderError("root= is not changed: the machine would not boot", hint="`append` it where it lacks")
    _refuse_contradictions(spec)


def _refuse_contradictions(spec: Spec) -> None:
    """ProviderError for a key that is asked for whole and by an argument, and for anything that is asked for twice."""
    for number, argument in enumerate(spec.whole):
        if any(map(argument.has_key, (each.key for each in (*spec.whole[number + 1 :], *spec.single)))):
            hint = "`replace` takes a list of all the values of a key"
            raise ProviderError(f"'{argument.key}' is asked for in two ways", hint=hint)
    for number, argument in enumerate(spec.single):
        if any(map(argument.is_same, spec.single[number + 1 :])):
            raise ProviderError(f"'{argument}' is asked for twice", hint="write it once")
