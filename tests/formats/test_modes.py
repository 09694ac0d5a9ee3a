import os
import random
import stat
import subprocess

import pytest

from converge.errors import ProviderError
from converge.formats.modes import mode_text, parse_mode


@pytest.mark.parametrize(
    ("text", "before", "is_folder", "after"),
    [
        ("0644", 0o4777, False, 0o644),
        ("755", 0o2700, True, 0o755),
        ("u=rwX,g=rX,o=", 0o600, False, 0o640),
        ("u=rwX,g=rX,o=", 0o700, False, 0o750),
        ("u=rwX,g=rX,o=", 0o600, True, 0o750),
        ("+x", 0o644, False, 0o755),
        ("go-rwx", 0o2755, True, 0o2700),
        ("g=u", 0o640, False, 0o660),
        ("u+s,+t", 0o755, True, 0o5755),
        ("o=", 0o1777, True, 0o770),
        ("u=rw-x+X", 0o755, False, 0o755),
        ("=", 0o6755, True, 0o6000),
    ],
)
def test_text_changes_a_mode(text: str, before: int, is_folder: bool, after: int) -> None:
    assert mode_text(parse_mode(text).on(before, is_folder=is_folder)) == mode_text(after)


@pytest.mark.parametrize("text", ["", "0888", "64", "777777", "17777", "u", "rwx", "u=rwz", "u=rw,", "u=ug", "a=r x"])
def test_text_that_is_not_a_mode_is_refused(text: str) -> None:
    with pytest.raises(ProviderError):
        parse_mode(text)


@pytest.mark.parametrize("seed", range(4))
def test_symbolic_modes_mean_what_chmod_means(tmp_path: object, seed: int) -> None:
    choose = random.Random(seed)
    texts = [_symbolic(choose) for _ in range(60)]
    for number, text in enumerate(texts):
        before, is_folder = choose.randrange(0o10000), choose.random() < 0.5
        path = f"{tmp_path}/{number}"
        if is_folder:
            os.mkdir(path)
        else:
            os.close(os.open(path, os.O_CREAT, 0o600))
        os.chmod(path, before)
        subprocess.run(["chmod", "--", text, path], check=True, umask=0)
        expected = stat.S_IMODE(os.stat(path).st_mode)
        assert mode_text(parse_mode(text).on(before, is_folder=is_folder)) == mode_text(expected), (text, oct(before))


def _symbolic(choose: random.Random) -> str:
    return ",".join(_clause(choose) for _ in range(choose.randint(1, 3)))


def _clause(choose: random.Random) -> str:
    who = "".join(choose.sample("ugoa", choose.randint(0, 3)))
    actions = (
        choose.choice("+-=") + choose.choice(["u", "g", "o", "".join(choose.sample("rwxXst", choose.randint(0, 4)))])
        for _ in range(choose.randint(1, 2))
    )
    return who + "".join(actions)
