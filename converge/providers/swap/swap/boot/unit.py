"""The unit file of a swap (systemd.swap(5))."""

from collections.abc import Sequence

from attrs import define

from converge.formats.ini import Inifile

_NEW = """\
[Unit]
Description=Swap at {what}
{where_it_is_gone}
[Swap]
What={what}

[Install]
WantedBy=swap.target
"""
_FILE_GONE = "ConditionPathExists={what}\n"
"""After a rollback an older /etc may have the unit of a file that is gone: no boot is to fail for that."""
_PARTITION_GONE = "DefaultDependencies=no\nConflicts=umount.target\nBefore=umount.target\n"
"""As by default, but nothing waits for it: a boot would wait 90 seconds for a partition that is gone."""


@define
class SwapUnit:
    """A unit file in memory; what is not about swapping stays to the letter."""

    file: Inifile

    @classmethod
    def new(cls, what: str) -> "SwapUnit":
        """For a file or device."""
        gone = _PARTITION_GONE if what.startswith("/dev/") else _FILE_GONE
        written = _written(what)
        return cls.parse(_NEW.format(what=written, where_it_is_gone=gone.format(what=written)))

    @classmethod
    def parse(cls, text: str) -> "SwapUnit":
        return cls(Inifile.parse(text.encode("utf-8", "surrogateescape")))

    def dump(self) -> bytes:
        return self.file.dump()

    def is_about(self, what: str) -> bool:
        return self._value("What") == _written(what)

    @property
    def options(self) -> tuple[str, ...]:
        """As fstab would have them. Those in Options= rule over Priority=."""
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
