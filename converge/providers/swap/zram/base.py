"""The parameters and the state of a swap in compressed memory."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen
from attrs.converters import optional

from converge.errors import ProviderError
from converge.model import Value
from converge.providers.protocol import ABSENT, DERIVED, PRESENT, size_in_bytes
from converge.values import size_words

GENERATOR, UNIT = "zram-generator", "unit"
MIB = 1 << 20
PRIORITY = 100
"""What zram-generator.conf(5) gives: far above that of a disk, where none is given."""

CONFIGURED = ("size", "host_memory_limit", "algorithm", "priority")
"""The state fields that a configuration holds."""


def _mib(value: int | str) -> int:
    """Whole MiB, in which zram-generator.conf(5) counts."""
    return size_in_bytes(value) // MIB * MIB


def _texts(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(values)


@frozen
class Spec:
    device: str = "zram0"
    ensure: str = PRESENT
    size: int | None = field(default=None, converter=optional(_mib))
    host_memory_limit: int | None = field(default=None, converter=optional(_mib))
    algorithms: tuple[str, ...] = field(default=(), converter=_texts)
    priority: int = PRIORITY

    @property
    def node(self) -> str:
        return f"/dev/{self.device}"


@frozen
class Running:
    """A device that is swapped to; `size` is in bytes."""

    size: int
    algorithm: str | None
    priority: int

    def told(self) -> str:
        algorithm = f", {self.algorithm}" if self.algorithm else ""
        return f"{size_words(self.size)}{algorithm}, priority {self.priority}"


@frozen
class State:
    ensure: str
    size: int | str | None = None
    """An expression of zram-generator, where somebody else has written one."""
    host_memory_limit: int | str | None = None
    algorithm: str | None = None
    priority: int | None = None
    through: str | None = None
    running: str | None = None
    found: Running | None = field(default=None, metadata=DERIVED)
    installed: str = field(default=UNIT, metadata=DERIVED)
    """What a device is made through on this system."""
    algorithms: tuple[str, ...] = field(default=(), metadata=DERIVED)
    """Those that the kernel has; none where that is not to be seen."""
    memory: int | None = field(default=None, metadata=DERIVED)
    """Bytes; None where nothing runs here that a device could be made on."""
    taken: str | None = field(default=None, metadata=DERIVED)
    """A file of zram-generator that has the device made for a file system."""
    later: Mapping[str, str] = field(factory=dict, metadata=DERIVED)
    """Per field a file of zram-generator that wins over what converge writes."""

    @classmethod
    def of(cls, configured: dict[str, Any] | None, through: str | None, **others: Any) -> "State":  # noqa: ANN401  (fields)
        """`configured` is None where no device is configured."""
        if configured is None:
            return cls(ABSENT, **others)
        return cls(PRESENT, through=through, **configured, **others)


def algorithms_known(spec: Spec, state: State) -> tuple[str, ...]:
    """Those asked for that the kernel has; where it cannot be asked, all of them. ProviderError where it has none."""
    known = _known(spec.algorithms or _taken_over(state), state)
    if spec.algorithms and not known:
        has = f"it has {', '.join(state.algorithms)}"
        raise ProviderError(f"the kernel has none of {', '.join(spec.algorithms)}", hint=f"{has}: add one of these")
    return known


def _known(names: Sequence[str], state: State) -> tuple[str, ...]:
    return tuple(name for name in names if name in state.algorithms or not state.algorithms)


def _taken_over(state: State) -> Sequence[str]:
    """What our unit was told before zram-generator came."""
    is_ours = state.through == UNIT and state.installed == GENERATOR
    return (state.algorithm or "").split() if is_ours else ()


def algorithm_configured(spec: Spec, state: State, known: Sequence[str]) -> dict[str, Value]:
    """The state field, where it is asked for: our unit chooses at each boot, and zram-generator knows but one."""
    chosen = spec.algorithms if state.installed == UNIT else known[:1]
    return {"algorithm": " ".join(chosen)} if chosen else {}
