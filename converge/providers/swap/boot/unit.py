"""The unit file of a swap (systemd.swap(5))."""

from collections.abc import Sequence

from attrs import define

from converge.system.text.inifile import Inifile

_NEW = """\
[Unit]
Description=Swap at {what}

[Swap]
What={what}

[Install]
WantedBy=swap.target
"""


@define
class SwapUnit:
    """A unit file in memory; what is not about swapping stays to the letter."""

    file: Inifile

    @classmethod
    def new(cls, what: str) -> "SwapUnit":
        """For a file or device."""
        return cls.parse(_NEW.format(what=_written(what)))

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
