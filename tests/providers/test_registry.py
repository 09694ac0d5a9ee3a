"""The registry: each built-in type is a provider, and so is the module or the object of a third party."""

from importlib import import_module
from pathlib import Path

import attrs
import pytest

from converge.errors import ConvergeError
from converge.language import schema
from converge.model import Change, Claim, Domain, Phase, Thing
from converge.providers import registry
from converge.providers.guard import provider_from
from converge.providers.protocol import field_names
from converge.system import System
from tests.providers.motd import AN_OBJECT, made
from tests.providers.typed import TYPED


def test_each_built_in_type_is_typed_here() -> None:
    assert {type_: import_module(registry.module_of(type_)) for type_ in schema.types()} == TYPED


@pytest.mark.parametrize("type_", schema.types())
def test_built_in_type_loaded_under_its_name(type_: str) -> None:
    provider = registry.load(type_)
    assert (provider.type, provider.spec_type) == (type_, TYPED[type_].Spec)
    assert registry.load(type_) is provider


@pytest.mark.parametrize("type_", schema.types())
def test_built_in_module_has_docstring(type_: str) -> None:
    assert import_module(registry.module_of(type_)).__doc__


@pytest.mark.parametrize("type_", schema.types())
def test_specs_and_states_are_frozen(type_: str) -> None:
    for class_ in (TYPED[type_].Spec, TYPED[type_].State):
        assert attrs.has(class_)
        assert class_.__setattr__ is not object.__setattr__


@pytest.mark.parametrize("type_", schema.types())
def test_traits_name_state_fields_and_parameters(type_: str) -> None:
    provider = registry.load(type_)
    traits = provider.traits
    fields = {*traits.unprotected, *traits.unseen, *traits.recreated, *traits.deferred}
    assert fields.union(*traits.groups) <= set(field_names(provider.state_type))
    assert {*traits.files, *traits.folders} <= set(field_names(provider.spec_type))


def test_built_in_type_found_without_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: str) -> None:
        raise AssertionError("it reads what is installed")

    monkeypatch.setattr("importlib.metadata.entry_points", refuse)
    registry.load.cache_clear()
    assert registry.load("file").type == "file"


def test_unknown_type_hint_is_nearest_type() -> None:
    with pytest.raises(ConvergeError) as caught:
        registry.load("flatpak-remot")
    assert caught.value.hint == "did you mean 'flatpak-remote'?"


@pytest.fixture
def system(tmp_path: Path) -> System:
    (tmp_path / "root/etc").mkdir(parents=True)
    return System(str(tmp_path / "root"))


@pytest.mark.parametrize("source", [made(), AN_OBJECT], ids=["module", "object"])
def test_module_and_object_work_alike(source: object, system: System) -> None:
    provider = provider_from("motd", source)
    spec = provider.parse({"text": "welcome"})
    motd = Thing("message", "of the day", "path", "/etc/motd")
    assert provider.claims(spec) == (Claim(motd, "ensure", "present"), Claim(motd, "text", "welcome"))
    assert provider.domains(system, spec) == {"ensure": Domain.DEPLOYMENT, "text": Domain.DEPLOYMENT}
    state = provider.inspect(system, spec)
    assert provider.absent(spec, state)
    changes = provider.changes(system, spec, state)
    assert changes == (Change("ensure", "absent", "present"), Change("text", None, "welcome"))
    assert provider.apply(system, spec, changes) == ()
    assert system.read("/etc/motd") == b"welcome"
    assert provider.changes(system, spec, provider.inspect(system, spec)) == ()
    unwanted = provider.parse({"text": "", "ensure": "absent"})
    assert provider.changes(system, unwanted, provider.inspect(system, unwanted)) == (
        Change("ensure", "present", "absent"),
    )


def test_each_optional_function_has_default(system: System) -> None:
    provider = provider_from("motd", made())
    spec = provider.parse({"text": "welcome"})
    state = provider.inspect(system, spec)
    assert provider.desired(system, spec, state) == provider.declared(spec)
    assert (provider.phase(spec, ()), provider.idle(spec, state)) == (Phase.BOOT, "")
    assert (provider.things(spec), provider.implied_only_if(spec), provider.contents(system, spec)) == ({}, {}, ())
    assert provider.notified(spec, ("other",)) is spec
    assert (provider.yield_to, provider.fetch) == (None, None)
    provider.check(spec, state, ())


def test_static_domain_overrides_domain_of_path(system: System) -> None:
    provider = provider_from("motd", made("traits = Traits(domain=Domain.MACHINE)"))
    assert set(provider.domains(system, provider.parse({"text": "x"})).values()) == {Domain.MACHINE}


def test_field_of_other_thing_has_own_claim_and_domain(system: System) -> None:
    other = 'Thing("message", "elsewhere", "path", "/var/motd")'
    provider = provider_from("motd", made(f'def things(spec): return {{"text": {other}}}'))
    spec = provider.parse({"text": "x"})
    assert [claim.thing.recorded for claim in provider.claims(spec)] == ["path:/etc/motd", "path:/var/motd"]
    assert provider.domains(system, spec) == {"ensure": Domain.DEPLOYMENT, "text": Domain.MACHINE}
