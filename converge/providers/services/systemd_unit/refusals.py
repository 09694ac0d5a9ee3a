"""What cannot be done to a unit as it is found, told before anything is tried."""

from collections.abc import Callable, Iterator

from converge.diagnostics import nearest
from converge.errors import ProviderError
from converge.providers.protocol import ABSENT
from converge.providers.services.systemd_unit.base import Spec
from converge.system import ReadOnlySystem
from converge.system.unitfiles import Sight, UnitFile, is_template

GENERATED = "/run/systemd/generator"

Known = Callable[[], list[str]]
"""Names the units that there are; asked only for advice."""


def refuse_contradictions(spec: Spec) -> None:
    for is_wrong, message, hint in _contradictions(spec):
        if is_wrong:
            raise ProviderError(f"{spec.name}: {message}", hint=hint)


def _contradictions(spec: Spec) -> Iterator[tuple[bool, str, str]]:
    file = (spec.content, spec.source)
    starts = bool(spec.enabled or spec.preset or spec.running)
    runs = starts or spec.enabled is not None or spec.running is not None or bool(spec.after_change)
    asked = spec.manages_files or runs
    yield not asked, "nothing is asked of it", "say what it is to be, as in `enabled: true`"
    yield None not in file, "content and source exclude each other", "keep one of them"
    yield spec.content == "", "an empty unit file would mask the unit", "say `masked: true` if that is meant"
    decided = (spec.enabled, spec.masked) != (None, None)
    yield spec.preset and decided, "the preset decides", "drop `enabled` and `masked`"
    yield bool(spec.masked) and (starts or file != (None, None)), "what is masked never starts", "drop one of them"
    yield spec.ensure == ABSENT and bool(spec.drop_in_names), "drop-ins are no part of the file", "declare them apart"
    both = ", ".join(sorted(set(spec.drop_ins) & set(spec.without_drop_ins)))
    yield bool(both), f"{both} is asked for and not wanted", "drop it from `drop_ins` or `without_drop_ins`"
    yield is_template(spec.name) and runs, "a template does not run itself", "name an instance: getty@tty1.service"


def refuse(system: ReadOnlySystem, spec: Spec, sight: Sight, *, can_be_enabled: bool, known: Known) -> None:
    """Raise ProviderError for what systemctl would refuse, or would pass over in silence."""
    if spec.ensure == ABSENT:
        _refuse_to_remove(spec, sight)
        return
    _refuse_links(system, spec, sight)
    _refuse_masks(spec, sight)
    if sight.unit is None:
        _refuse_absence(spec, sight, known)
    elif spec.enabled is not None or spec.preset:
        _refuse_other_kinds(spec, sight.unit)
    if spec.enabled and not can_be_enabled:
        hint = "drop `enabled`: another unit starts it, or `running: true` does"
        raise ProviderError(f"{spec.name} says in no [Install] section what is to start it", hint=hint)


def _refuse_to_remove(spec: Spec, sight: Sight) -> None:
    if sight.unit is not None and sight.unit.path != spec.path:
        raise ProviderError(f"{sight.unit.path} is not the machine's own", hint="say `masked: true` to keep it off")


def _refuse_links(system: ReadOnlySystem, spec: Spec, sight: Sight) -> None:
    """A link is never written through, nor taken for a file."""
    paths = [spec.drop_in_path(name) for name in spec.drop_in_names]
    if spec.brings_file and spec.path != sight.mask:
        paths.append(spec.path)
    for path in paths:
        target = system.read_link(path)
        if target is not None:
            raise ProviderError(f"{path} is a link to {target}", hint="remove it first, with `file` or by hand")


def _refuse_masks(spec: Spec, sight: Sight) -> None:
    if sight.mask is None:
        if spec.masked and sight.unit is not None and sight.unit.path == spec.path:
            message = f"{spec.path} is a unit file, and the mask would have to stand in its place"
            raise ProviderError(message, hint="say `ensure: absent` first, or only `enabled: false`")
    elif spec.masked is False and sight.mask != spec.path:
        raise ProviderError(f"{spec.name} is masked by {sight.mask}", hint="that is not for converge to undo")
    elif spec.masked is None and (spec.enabled or spec.running or spec.brings_file):
        raise ProviderError(f"{spec.name} is masked by {sight.mask}", hint="say `masked: false` to unmask it")


def _refuse_absence(spec: Spec, sight: Sight, known: Known) -> None:
    asked = spec.enabled or spec.running or (spec.preset and sight.mask is None)
    if asked and not spec.brings_file:
        hint = _alike(spec.name, known()) or "name what brings it in `needs`, or give its `content`"
        raise ProviderError(f"there is no unit {spec.name}", hint=hint)


def _alike(name: str, known: list[str]) -> str | None:
    """A hint at a unit of the same kind; the suffix that they share makes none alike."""
    stem, _, suffix = name.rpartition(".")
    near = nearest(stem, [each.removesuffix(f".{suffix}") for each in known if each.endswith(f".{suffix}")])
    return f"did you mean '{near}.{suffix}'?" if near else None


def _refuse_other_kinds(spec: Spec, unit: UnitFile) -> None:
    if unit.of != spec.name:
        raise ProviderError(f"{spec.name} is another name of {unit.of}", hint=f"declare {unit.of} instead")
    if unit.path.startswith(GENERATED):
        hint = "say `masked: true` to keep it off"
        raise ProviderError(f"{spec.name} is generated at each boot, so it is neither enabled nor disabled", hint=hint)


def refuse_to_keep_running(spec: Spec) -> None:
    hint = "enable it instead, or give it RemainAfterExit=yes"
    raise ProviderError(f"{spec.name} does its work and ends, so it is never found running", hint=hint)
