"""The base of all that changes a root, which a system that only reads does not have."""

from converge.errors import ProviderError, shown
from converge.system.access import Looking
from converge.system.root import Place

NEW_FOLDER = 0o755


class Changing(Looking):
    """A root that may be changed."""

    def _new_place(self, doing: str, path: str, *, follow: bool = True) -> Place:
        """A place to put something at: missing folders on the way are made."""
        return Place(self._descriptor, doing, path, follow=follow, make_parents=NEW_FOLDER)

    def _refuse_default_folder(self, path: str) -> None:
        """ProviderError for a resolved path that must not become anything but a folder."""
        if self.is_default_folder(path):
            hint = "choose another path: with anything else there, ostree could not merge /etc at the next upgrade"
            raise ProviderError(f"{shown(path)} is a folder in /usr/etc and has to stay one", hint=hint)
