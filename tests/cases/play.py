"""What the steps of a case do: runs of converge, what people do between them, and what is expected then."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from converge.cli import app
from converge.diagnostics import Report
from converge.language.document import load
from converge.system import System
from tests.cases.web import Web, installed_apps, keys_of_remotes
from tests.machine import Machine

Step = Mapping[str, Any]


def read(path: Path) -> Any:
    """The data of a YAML file, as strict as converge is."""
    report = Report()
    found = load(str(path), report)
    assert found, [error.message for error in report.errors]
    assert not report.errors
    return found.data


@define
class Play:
    """One machine of a case. `manifests` is the folder of the case's manifests."""

    machine: Machine
    manifests: Path
    capsys: pytest.CaptureFixture[str]
    web: Web | None = None
    last: Mapping[str, Any] = field(factory=dict)
    """The last requested run."""

    @property
    def system(self) -> System:
        return System(str(self.machine.root))

    def step(self, step: Step) -> None:
        verb = next(iter(step))
        verbs: Mapping[str, Callable[[Step], None]] = {
            "apply": self.apply,
            "expect": self.expect,
            "chmod": self.chmod,
            "write": self.write,
            "hard_link": self.hard_link,
            "make_folder": self.make_folder,
            "remove": self.remove,
            "remove_folder": self.remove_folder,
            "flatpak": self.flatpak,
            "network": self.network,
        }
        verbs[verb](step)

    def apply(self, step: Step) -> None:
        """Run `converge apply` as this OS version, with `facts` if hardware matters, and check its report."""
        self.last = step["apply"]
        if "version" in self.last:
            self.machine.upgrade_os(self.last["version"])
        code, printed, run = self.run(self.last)
        assert code == int(step.get("exit", 0)), printed
        assert printed.splitlines()[-1] == step.get("last", printed.splitlines()[-1])
        assert [text for text in step.get("says", ()) if text not in printed] == [], printed
        decided = {each["id"]: each["decision"] for each in run["steps"]}
        assert decided | dict(step.get("decided", {})) == decided

    def run(self, options: Mapping[str, Any]) -> tuple[int, str, Any]:
        """The exit code, the report as text and the report as JSON."""
        manifest = self.manifests / options.get("manifest", "manifest.yaml")
        saved = self.machine.manifest.with_suffix(".json")
        event, phase = options.get("event", "auto"), options.get("phase", "online")
        words = ["--root", str(self.machine.root), "--event", event, "--phase", phase, "--json-into", str(saved)]
        if "facts" in options:
            facts = self.machine.manifest.with_name("facts.json")
            facts.write_text(json.dumps(options["facts"]))
            words += ["--facts", str(facts)]
        self.capsys.readouterr()
        code = app.run(["apply", str(manifest), *words, "--verbose", "--color", "never"])
        printed = self.capsys.readouterr()
        assert printed.out, printed.err
        return code, printed.out, json.loads(saved.read_text())

    def expect(self, step: Step) -> None:
        expected = step["expect"]
        for path, mode in expected.get("modes", {}).items():
            assert f"{self.machine.path(path).stat().st_mode & 0o7777:04o}" == mode
        for path, owner in expected.get("owners", {}).items():
            stat = self.machine.path(path).lstat()
            assert f"{stat.st_uid}:{stat.st_gid}" == owner
        if "apps" in expected:
            assert installed_apps(self.system) == expected["apps"]
        if "remotes" in expected:
            found = keys_of_remotes(self.system)
            assert list(found) == list(expected["remotes"])
            for name, keys in expected["remotes"].items():
                assert found[name] | self.addressed(keys) == found[name]

    def addressed(self, keys: Mapping[str, Any]) -> dict[str, str]:
        """The keys of a remote; `{name}` is the address of a repository."""
        return {
            key: self.web.url(value[1:-1]) if self.web and value.startswith("{") else value
            for key, value in keys.items()
        }

    def chmod(self, step: Step) -> None:
        for path, mode in step["chmod"].items():
            self.machine.path(path).chmod(int(mode, 8))

    def write(self, step: Step) -> None:
        for path, text in step["write"].items():
            self.machine.path(path).write_text(text)

    def hard_link(self, step: Step) -> None:
        """Give files another name, which git cannot do."""
        for path, other in step["hard_link"].items():
            self.machine.path(path).hardlink_to(self.machine.path(other))

    def make_folder(self, step: Step) -> None:
        for path, mode in step["make_folder"].items():
            self.machine.path(path).mkdir()
            self.machine.path(path).chmod(int(mode, 8))

    def remove(self, step: Step) -> None:
        self.machine.path(step["remove"]).unlink()

    def remove_folder(self, step: Step) -> None:
        self.machine.path(step["remove_folder"]).rmdir()

    def flatpak(self, step: Step) -> None:
        verb, *words = step["flatpak"].split()
        quietly = ["--noninteractive", "-y"] if verb in ("install", "uninstall") else []
        self.system.run(["flatpak", verb, "--system", *quietly, *words]).require()

    def network(self, step: Step) -> None:
        assert self.web
        {"on": self.web.on, "off": self.web.off}[step["network"]]()
