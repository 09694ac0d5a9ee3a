"""The unit file of a swap (systemd.swap(5))."""

from collections.abc import Sequence

from attrs import define

from converge.formats.ini import Inifile

_NEW = """\
[Unit]
Description=Swap at {what}
{if_missing}
[Swap]
What={what}

[Install]
WantedBy=swap.target
"""
_IF_FILE_MISSING = "ConditionPathExists={what}\n"
"""After a rollback an older /etc may have the unit of a removed file: the boot must not fail because of that."""
_IF_PARTITION_MISSING = "DefaultDependencies=no\nConflicts=umount.target\nBefore=umount.target\n"
"""The defaults, except that nothing waits for it: a boot would wait 90 seconds for a missing partition."""


@define
class SwapUnit:
    """A unit file in memory; all lines that are not about the swap stay unchanged."""

    file: Inifile

    @classmethod
    def new(cls, what: str) -> "SwapUnit":
        """For a file or device."""
        missing = _IF_PARTITION_MISSING if what.startswith("/dev/") else _IF_FILE_MISSING
        written = _written(what)
        return cls.parse(_NEW.format(what=written, if_missing=missing.format(what=written)))

    @classmethod
    def parse(cls, text: str) -> "SwapUnit":
        return cls(Inifile.parse(text.encode("utf-8", "surrogateescape")))

    def dump(self) -> bytes:
        return self.file.dump()

    def is_about(self, what: str) -> bool:
        return self._value("What") == _written(what)

    @property
    def options(self) -> tuple[str, ...]:
        """In the form of fstab. Options= overrides Priority=."""
        priority = self._value("Priority")
        options = (self._value("Options") or "").split(",")
        return (*([f"pri={priority}"] if priority else []), *filter(None, options))

    def put(self, what: str, options: Sequence[str], priority: int | None) -> None:
        """Set all three; `options` without the priority."""
        self._set("What", _written(what))
        self._set("Options", ",".join(options))
        self._set("Priority", "" if priority is None else str(priority))

    def _value(self, key: str) -> str | None:
        lines = self.file.find("Swap", key)
        return self.file.value(lines[-1]) if lines else None

    def _set(self, key: str, value: str) -> None:
        lines = self.file.find("Swap", key)
        if value and lines:
            self.file.set_value(lines[-1], value)
        elif value:
            self.file.add("Swap", key, value)
        else:
            self.file.lines.remove(lines)


def _written(what: str) -> str:
    """A percent sign is the first character of a specifier (systemd.unit(5))."""
    return what.replace("%", "%%")
