"""Small real flatpak repositories: built, signed with a real key, and served by http on loopback."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from attrs import field, frozen

ARCH = {"i686": "i386"}.get(os.uname().machine, os.uname().machine)
RUNTIME, RUNTIME_BRANCH = "org.example.Platform", "1"
COLLECTION = "org.example.Apps"


@frozen
class Key:
    """A signing key without a passphrase, and the folder of the gpg that holds it."""

    home: str
    fingerprint: str
    public: bytes

    @property
    def armored(self) -> bytes:
        return _output("gpg", "--homedir", self.home, "--armor", "--export", self.fingerprint)


@contextmanager
def signing_key(name: str = "Example", folder: str = "/tmp") -> Iterator[Key]:
    """A new key in `folder`, whose path must be short, because gpg's agent listens on a socket in it."""
    home = tempfile.mkdtemp(prefix="key-", dir=folder)
    gpg = ("gpg", "--homedir", home, "--batch", "--quiet")
    try:
        _output(*gpg, "--passphrase", "", "--quick-generate-key", f"{name} <{name}@example.com>", "rsa2048", "sign")
        listed = _output(*gpg, "--list-keys", "--with-colons").decode().splitlines()
        fingerprint = next(line.split(":")[9] for line in listed if line.startswith("fpr:"))
        yield Key(home, fingerprint, _output(*gpg, "--export", fingerprint))
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
        shutil.rmtree(home, ignore_errors=True)


def build(
    path: Path,
    apps: Sequence[str],
    branch: str = "stable",
    collection_id: str | None = None,
    gpg_home: str | None = None,
    key: str | None = None,
    *,
    content: str = "1",
) -> None:
    """Create a repository with these apps and their runtime, or add new versions of them.

    `content` is the content of the apps; another one makes another version.
    """
    collection = [f"--collection-id={collection_id}"] if collection_id else []
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _output("ostree", "init", f"--repo={path}", "--mode=archive-z2", *collection)
    signing = [f"--gpg-sign={key}", f"--gpg-homedir={gpg_home}"] if key and gpg_home else []
    with tempfile.TemporaryDirectory() as folder:
        runtime = _runtime(Path(folder, "runtime"))
        _export(path, runtime, RUNTIME_BRANCH, signing, "--runtime")
        for app in apps:
            _export(path, _app(Path(folder, app), app, content), branch, signing)
    _output("flatpak", "build-update-repo", *signing, str(path))


def sign_with(key: Key) -> dict[str, str]:
    """The arguments of `build` that sign with a key."""
    return {"gpg_home": key.home, "key": key.fingerprint}


def _runtime(folder: Path) -> Path:
    (folder / "usr").mkdir(parents=True)
    (folder / "files").mkdir()
    ref = f"{RUNTIME}/{ARCH}/{RUNTIME_BRANCH}"
    (folder / "metadata").write_text(f"[Runtime]\nname={RUNTIME}\nruntime={ref}\nsdk={ref}\n")
    return folder


def _app(folder: Path, app: str, content: str) -> Path:
    (folder / "files").mkdir(parents=True)
    (folder / "export").mkdir()
    (folder / "files/content").write_text(content)
    ref = f"{RUNTIME}/{ARCH}/{RUNTIME_BRANCH}"
    (folder / "metadata").write_text(f"[Application]\nname={app}\nruntime={ref}\nsdk={ref}\ncommand=run\n")
    return folder


def _export(repo: Path, folder: Path, branch: str, signing: Sequence[str], *options: str) -> None:
    common = ("--disable-sandbox", "--no-update-summary", *options, *signing)
    _output("flatpak", "build-export", *common, str(repo), str(folder), branch)


def _output(*argv: str) -> bytes:
    done = subprocess.run(argv, check=False, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.decode(errors='replace')}")
    return done.stdout


@frozen
class Server:
    """A folder on the web; `requests` are the requested paths."""

    url: str
    requests: list[str] = field(factory=list)


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *args: object, requests: list[str], directory: str) -> None:
        self.requests = requests
        super().__init__(*args, directory=directory)  # type: ignore[arg-type]  # from the server

    def log_message(self, *_: object) -> None:
        self.requests.append(self.path)


@contextmanager
def serve(path: Path, port: int = 0) -> Iterator[Server]:
    """Serve a folder by http on loopback for the time of a `with`; port 0 is any free one."""
    requests: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, requests=requests, directory=str(path))) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Server(f"http://127.0.0.1:{server.server_port}/", requests)
        finally:
            server.shutdown()
            thread.join()
