"""A story as a session: each command before its output, each point on a line of its own."""

import os
import subprocess
import sys
from pathlib import Path

from attrs import define, field

REPOSITORY = Path(__file__).parent.parent.parent
COLOR = sys.stdout.isatty()
BOLD, DIM, GREEN, RED, PLAIN = ("\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m") if COLOR else [""] * 5


@define
class Telling:
    """`folder` is the working directory of the commands."""

    folder: Path
    chapters: int = 0
    points: list[bool] = field(factory=list)

    def chapter(self, title: str) -> None:
        self.chapters += 1
        heading = f"{self.chapters}. {title}"
        self.say(f"\n{BOLD}{heading}\n{'=' * len(heading)}{PLAIN}\n")

    def say(self, text: str) -> None:
        print(text, flush=True)

    def command(self, words: str, user: str = "") -> None:
        self.say(f"{BOLD}{user}$ {words}{PLAIN}")

    def converge(self, *words: str, brief: bool = False) -> int:
        """Run converge and return its exit code; in brief: only the last line of its output if it succeeded."""
        self.command(" ".join(("converge", *words)))
        argv = [sys.executable, "-m", "converge", *words, "--color", "always" if COLOR else "never"]
        folders = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
        output = subprocess.PIPE if brief else None
        done = subprocess.run(argv, cwd=self.folder, env=environment, check=False, stdout=output, text=True)
        if brief:
            self.say(done.stdout.rstrip() if done.returncode else f"  …\n{done.stdout.splitlines()[-1]}")
        self.say(f"{DIM}exit code {done.returncode}{PLAIN}\n")
        return done.returncode

    def point(self, holds: bool, text: str) -> None:
        self.points.append(holds)
        self.say(f"{GREEN}[ok]{PLAIN} {text}" if holds else f"{RED}[FAILED]{PLAIN} {text}")

    @property
    def holds(self) -> bool:
        return all(self.points)

    def conclude(self) -> int:
        """Count the points; the exit code of the demo."""
        self.say(f"\n{BOLD}{sum(self.points)} of {len(self.points)} points hold.{PLAIN}")
        return 0 if self.holds else 1
