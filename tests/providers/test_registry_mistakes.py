"""The mistakes of a third party: each is an error that names the type and the mistake."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from converge.errors import ConvergeError, Later, ProviderError
from converge.providers import registry
from converge.providers.guard import REQUIRED, provider_from
from converge.providers.protocol import OPTIONAL, Provider
from converge.system import ReadOnlySystem
from tests.providers.motd import BUG, SOURCE, Motd, made


@pytest.mark.parametrize("name", REQUIRED)
def test_missing_name_is_error(name: str) -> None:
    with pytest.raises(ProviderError, match=rf"^the provider of 'motd' has no `{name}`$") as caught:
        provider_from("motd", made(without=name))
    assert "How to write a provider" in str(caught.value.hint)


def test_missing_method_of_object_is_error() -> None:
    class Dumb:
        traits, Spec, State = Motd.traits, Motd.Spec, Motd.State

    with pytest.raises(ProviderError, match=r"^the provider of 'motd' has no `thing`$"):
        provider_from("motd", Dumb())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("class Spec: pass", "`Spec` of the provider of 'motd' is not an attrs class"),
        ("class State: pass", "`State` of the provider of 'motd' is not an attrs class"),
        ("def State(): pass", "`State` of the provider of 'motd' is not an attrs class"),
        ("Spec = Spec('x')", "`Spec` of the provider of 'motd' is not an attrs class"),
        ("traits = {'added': 'created'}", "`traits` of the provider of 'motd' is not a `Traits`"),
        ("traits = Traits", "`traits` of the provider of 'motd' is not a `Traits`"),
        ("thing = 'path:/etc/motd'", "`thing` of the provider of 'motd' is not a function"),
        ("declared = {}", "`declared` of the provider of 'motd' is not a function"),
    ],
)
def test_name_of_wrong_kind_is_error(more: str, message: str) -> None:
    with pytest.raises(ProviderError) as caught:
        provider_from("motd", made(more))
    assert caught.value.message == message
    assert "How to write a provider" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("implied_only", "did you mean 'implied_only_if'?"),
        ("chek", "did you mean 'check'?"),
        ("desire", "did you mean 'desired'?"),
        ("read_motd", "put an underscore in front of a helper's name"),
    ],
)
def test_misspelt_function_hint_is_right_name(name: str, hint: str) -> None:
    misspelt = type("Misspelt", (Motd,), {name: lambda self: self})
    for source in (made(f"def {name}(spec): pass"), misspelt()):
        with pytest.raises(ProviderError) as caught:
            provider_from("motd", source)
        assert caught.value.message == f"the provider protocol has no function `{name}` (in 'motd')"
        assert caught.value.hint == hint


def test_helpers_and_imported_functions_accepted() -> None:
    helpers = "from os.path import join\nfrom attrs import evolve\ndef _read(system): pass\nclass Reader: pass\n"
    assert provider_from("motd", made(helpers)).type == "motd"


@pytest.mark.parametrize(
    "more",
    [
        "TYPE = 'motd'\nGROUPS = (('ensure', 'text'),)\ndef claims(spec): pass\ndef diff(spec, state): pass",
        "TYPE = 'motd'",
        "def claims(spec): pass",
        "def diff(spec, state): pass",
    ],
)
def test_first_protocol_recognized(more: str) -> None:
    with pytest.raises(ProviderError) as caught:
        provider_from("motd", made(more, without="traits"))
    assert caught.value.message == "the provider of 'motd' is written for the first provider protocol"
    assert str(caught.value.hint).startswith(
        "replace its upper-case names by `traits`, and `claims` and `diff` by `thing` and `declared`; see "
    )


SPEC, STATE = object(), object()
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "thing": (SPEC,),
    "declared": (SPEC,),
    "inspect": ("system", SPEC),
    "apply": ("system", SPEC, ()),
    "parse": ({"text": "x"},),
    "things": (SPEC,),
    "domains": ("system", SPEC),
    "desired": ("system", SPEC, STATE),
    "check": (SPEC, STATE, ()),
    "phase": (SPEC, ()),
    "implied_only_if": (SPEC,),
    "absent": (SPEC, STATE),
    "yield_to": (SPEC, ("/etc",)),
    "fetch": ("system", SPEC, ()),
    "notified": (SPEC, ("other",)),
    "contents": ("system", SPEC),
    "idle": (SPEC, STATE),
}


def called(more: str, name: str) -> Any:
    function: Callable[..., Any] = getattr(provider_from("motd", made(more)), name)
    return function(*ARGUMENTS[name])


def test_arguments_cover_each_function_of_protocol() -> None:
    assert set(ARGUMENTS) == {*REQUIRED, *OPTIONAL} - {"traits", "Spec", "State"}
    assert set(ARGUMENTS) <= set(attrs.fields_dict(Provider))


@pytest.mark.parametrize("name", ARGUMENTS)
def test_exception_in_function_is_provider_bug(name: str) -> None:
    with pytest.raises(ProviderError) as caught:
        called(f"def {name}(*arguments): raise KeyError('hunter2')", name)
    line = SOURCE.count("\n") + 1
    assert caught.value.message == f"KeyError at motd.py:{line} in `{name}`"
    assert caught.value.hint == BUG
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_result_of_wrong_type_is_provider_bug(name: str) -> None:
    with pytest.raises(ProviderError) as caught:
        called(f"def {name}(*arguments): return 1.5", name)
    assert caught.value.message == f"`{name}` of the provider of 'motd' returned float"
    assert caught.value.hint == BUG


@pytest.mark.parametrize(
    ("more", "name", "message"),
    [
        ("def things(spec): return {'text': 1}", "things", "`things` of the provider of 'motd' returned dict"),
        ("def domains(*_): return {'text': 'etc'}", "domains", "`domains` of the provider of 'motd' returned dict"),
        ("def apply(*_): return ('x',)", "apply", "`apply` of the provider of 'motd' returned tuple of str"),
        ("def idle(*_): raise SystemExit(3)", "idle", "SystemExit at motd.py:44 in `idle`"),
        ("def idle(): return ''", "idle", "TypeError at "),
    ],
)
def test_wrong_part_of_a_result_is_a_bug_of_the_provider(more: str, name: str, message: str) -> None:
    with pytest.raises(ProviderError) as caught:
        called(more, name)
    assert caught.value.message.startswith(message.replace("44", str(SOURCE.count("\n") + 1)))
    assert caught.value.hint == BUG


def test_value_left_to_the_machine_requires_desired(tmp_path: Path) -> None:
    provider = provider_from("motd", made("def declared(spec): return {'text': Depends.ON_MACHINE}"))
    system, spec = ReadOnlySystem(str(tmp_path)), provider.parse({"text": "x"})
    with pytest.raises(ProviderError, match=r"leaves `text` to the machine, and .* has no `desired`"):
        provider.changes(system, spec, provider.inspect(system, spec))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("traits = Traits(groups=(('ensure', 'txt'),))", "names `txt`, which is not a field of `State`"),
        ("phase = 'online'", "`phase` of the provider of 'motd' is not a function"),
    ],
)
def test_wrong_trait_or_optional_name_is_an_error(more: str, message: str) -> None:
    with pytest.raises(ProviderError) as caught:
        provider_from("motd", made(more))
    assert message in caught.value.message


@pytest.mark.parametrize("name", sorted({*ARGUMENTS} - {"check", "fetch"}))
def test_forgotten_return_is_provider_bug(name: str) -> None:
    with pytest.raises(ProviderError, match=rf"^`{name}` of the provider of 'motd' returned NoneType$"):
        called(f"def {name}(*arguments): pass", name)


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize(
    ("error", "kind"), [("ProviderError('no room', hint='make some')", ProviderError), ("Later('busy', 'idle')", Later)]
)
def test_own_error_of_provider_passed_on(name: str, error: str, kind: type[ConvergeError]) -> None:
    with pytest.raises(kind) as caught:
        called(f"def {name}(*arguments): raise {error}", name)
    assert caught.value.message in ("no room", "busy")
    assert caught.value.hint in ("make some", None)


def test_bug_in_method_of_object_is_provider_bug() -> None:
    class Faulty(Motd):
        def inspect(self, system: ReadOnlySystem, spec: Motd.Spec) -> Motd.State:  # noqa: ARG002  (the protocol)
            raise ZeroDivisionError

    with pytest.raises(
        ProviderError, match=r"^ZeroDivisionError at .*test_registry_mistakes\.py:[0-9]+ in `inspect`$"
    ) as caught:
        provider_from("motd", Faulty()).inspect("system", SPEC)  # type: ignore[arg-type]  # never reached
    assert caught.value.hint == BUG


def test_parameter_missing_in_spec_is_provider_bug() -> None:
    with pytest.raises(ProviderError, match=r"^TypeError at ") as caught:
        provider_from("motd", made()).parse({"text": "x", "colour": "red"})
    assert caught.value.hint == BUG


def test_field_missing_in_state_is_provider_bug(tmp_path: Path) -> None:
    provider = provider_from("motd", made('def declared(spec): return {"txt": spec.text}'))
    system, spec = ReadOnlySystem(str(tmp_path)), provider.parse({"text": "x"})
    with pytest.raises(
        ProviderError, match=r"^`declared` or `desired` names txt, which is not a field of `State`$"
    ) as caught:
        provider.changes(system, spec, provider.inspect(system, spec))
    assert caught.value.hint == BUG


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install a package with the type `motd`."""

    def install(text: str, name: str = "") -> None:
        package = tmp_path / "packages"
        (package / "motd-1.dist-info").mkdir(parents=True)
        (package / "motd-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: motd\nVersion: 1\n")
        (package / "motd-1.dist-info/entry_points.txt").write_text(f"[converge.providers]\nmotd = third_motd{name}\n")
        (package / "third_motd.py").write_text(text)
        monkeypatch.syspath_prepend(str(package))
        monkeypatch.delitem(sys.modules, "third_motd", raising=False)

    registry.load.cache_clear()
    yield install
    registry.load.cache_clear()


def test_installed_module_loaded(install: Callable[..., None]) -> None:
    install(SOURCE)
    assert registry.load("motd").traits.added == "created"


def test_installed_object_loaded(install: Callable[..., None]) -> None:
    install("from tests.providers.motd import Motd\n\nprovider = Motd()\n", ":provider")
    assert registry.load("motd").traits.added == "created"


@pytest.mark.parametrize(
    ("text", "name", "error"),
    [
        ("import no_such_module", "", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def thing(:", "", "SyntaxError: invalid syntax"),
        ("1 / 0", "", "ZeroDivisionError: division by zero"),
        (SOURCE, ":provider", "AttributeError: module 'third_motd' has no attribute 'provider'"),
        (
            SOURCE.replace("added=", "gruops=(), added="),
            "",
            "TypeError: Traits.__init__() got an unexpected keyword argument 'gruops'",
        ),
    ],
    ids=["import", "syntax", "statement", "attribute", "trait"],
)
def test_failed_import_is_error(install: Callable[..., None], text: str, name: str, error: str) -> None:
    install(text, name)
    with pytest.raises(ProviderError) as caught:
        registry.load("motd")
    assert caught.value.message.startswith(f"cannot load the provider of 'motd' from third_motd{name}: {error}")
    assert caught.value.hint == "report it to the package that brings this type"


def test_nearest_type_may_be_third_party(install: Callable[..., None]) -> None:
    install(SOURCE)
    with pytest.raises(ConvergeError, match="there is no resource type 'motdd'") as caught:
        registry.load("motdd")
    assert caught.value.hint == "did you mean 'motd'?"
