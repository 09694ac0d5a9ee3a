"""Refuse changes that are impossible for the unit as it is found, before anything is tried."""

from collections.abc import Callable, Iterator

from converge.diagnostics import nearest
from converge.errors import ProviderError
from converge.providers.protocol import ABSENT
from converge.providers.services.systemd_unit.spec import Spec
from converge.system import ReadOnlySystem
from converge.system.unitfiles import CONFIG, Sight, UnitFile, is_template

GENERATED = "/run/systemd/generator"

Known = Callable[[], list[str]]
"""Lists the existing units; called only for a hint."""


def refuse_contradictions(spec: Spec) -> None:
    for is_wrong, message, hint in _contradictions(spec):
        if is_wrong:
            raise ProviderError(f"{spec.name}: {message}", hint=hint)


def _contradictions(spec: Spec) -> Iterator[tuple[bool, str, str]]:
    file = (spec.content, spec.source)
    starts = bool(spec.enabled or spec.preset or spec.running)
    runs = starts or spec.enabled is not None or spec.running is not None or bool(spec.after_change)
    message = "no parameter set: give at least one of enabled, masked, running, content, drop_ins"
    yield not (spec.manages_files or runs), message, "add one, such as `enabled: true`"
    yield None not in file, "`content` and `source` exclude each other", "remove one of them"
    yield spec.content == "", "`content` is empty, which would mask the unit", "use `masked: true` to mask it"
    decided = (spec.enabled, spec.masked) != (None, None)
    yield spec.preset and decided, "`preset` excludes `enabled` and `masked`", "remove `preset`, or the others"
    message = "a masked unit never starts: `masked: true` excludes enabled, preset, running, content and source"
    yield bool(spec.masked) and (starts or file != (None, None)), message, "remove `masked`, or the others"
    message = "`ensure: absent` removes only the unit file, not its drop-ins"
    hint = "use another resource with `without_drop_ins`"
    yield spec.ensure == ABSENT and bool(spec.drop_in_names), message, hint
    both = ", ".join(sorted(set(spec.drop_ins) & set(spec.without_drop_ins)))
    yield bool(both), f"{both} is in both `drop_ins` and `without_drop_ins`", "remove it from one of them"
    message = "a template cannot be enabled or started itself"
    yield is_template(spec.name) and runs, message, "name an instance, such as getty@tty1.service"


def refuse(system: ReadOnlySystem, spec: Spec, sight: Sight, *, can_be_enabled: bool, known: Known) -> None:
    """Raise ProviderError for changes that systemctl would refuse, or silently ignore."""
    if spec.ensure == ABSENT:
        if sight.unit is not None and sight.unit.path != spec.path:
            hint = "use `masked: true` to keep the unit off"
            raise ProviderError(f"cannot remove {sight.unit.path}: it is not in {CONFIG}", hint=hint)
        return
    _refuse_links(system, spec, sight)
    _refuse_masks(spec, sight)
    if sight.unit is None:
        _refuse_absence(spec, sight, known)
    elif spec.enabled is not None or spec.preset:
        _refuse_other_kinds(spec, sight.unit)
    if spec.enabled and not can_be_enabled:
        hint = "remove `enabled`: another unit starts it, or `running: true` does"
        raise ProviderError(f"cannot enable {spec.name}: its unit file has no [Install] section", hint=hint)


def _refuse_links(system: ReadOnlySystem, spec: Spec, sight: Sight) -> None:
    """A link is never written through, nor treated as a file."""
    paths = [spec.drop_in_path(name) for name in spec.drop_in_names]
    if spec.brings_file and spec.path != sight.mask:
        paths.append(spec.path)
    for path in paths:
        target = system.read_link(path)
        if target is not None:
            raise ProviderError(f"{path} is a link to {target}", hint="remove the link first, with `file` or by hand")


def _refuse_masks(spec: Spec, sight: Sight) -> None:
    if sight.mask is None:
        if spec.masked and sight.unit is not None and sight.unit.path == spec.path:
            message = f"cannot mask {spec.name}: {spec.path} is a unit file, and the mask would replace it"
            raise ProviderError(message, hint="remove it first with `ensure: absent`, or use only `enabled: false`")
    elif spec.masked is False and sight.mask != spec.path:
        raise ProviderError(
            f"{spec.name} is masked by {sight.mask}",
            hint=f"remove that mask by hand: converge only removes {spec.path}",
        )
    elif spec.masked is None and (spec.enabled or spec.running or spec.brings_file):
        raise ProviderError(f"{spec.name} is masked by {sight.mask}", hint="set `masked: false` to unmask it")


def _refuse_absence(spec: Spec, sight: Sight, known: Known) -> None:
    is_needed = spec.enabled or spec.running or (spec.preset and sight.mask is None)
    if is_needed and not spec.brings_file:
        hint = _alike(spec.name, known()) or "add the resource that installs it to `needs`, or set its `content`"
        raise ProviderError(f"unit {spec.name} is missing", hint=hint)


def _alike(name: str, known: list[str]) -> str | None:
    """A hint at a unit of the same kind with a similar name; the common suffix does not count."""
    stem, _, suffix = name.rpartition(".")
    near = nearest(stem, [each.removesuffix(f".{suffix}") for each in known if each.endswith(f".{suffix}")])
    return f"did you mean '{near}.{suffix}'?" if near else None


def _refuse_other_kinds(spec: Spec, unit: UnitFile) -> None:
    if unit.of != spec.name:
        raise ProviderError(f"{spec.name} is another name of {unit.of}", hint=f"declare {unit.of} instead")
    if unit.path.startswith(GENERATED):
        hint = "use `masked: true` to keep the unit off"
        raise ProviderError(f"{spec.name} is generated at each boot: it cannot be enabled or disabled", hint=hint)


def refuse_to_keep_running(spec: Spec) -> None:
    hint = "use `enabled: true` instead, or set RemainAfterExit=yes in the unit"
    raise ProviderError(f"{spec.name} does its work and ends: it cannot be kept running", hint=hint)
