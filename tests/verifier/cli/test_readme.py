"""What the README tells a stranger to type works, in that order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.verifier.cli.conftest import run_command

ROOT = Path(__file__).parents[3]


def commands(text: str) -> list[list[str]]:
    """The `pegproof` lines of the shell blocks, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("pegproof ")]


@pytest.mark.slow
def test_every_command_of_the_readme_works_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = commands((ROOT / "README.md").read_text())
    assert len(typed) > 20
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for arguments in typed:
        outcome = run_command(*arguments)
        assert outcome.code == 0, (arguments, outcome.err)
