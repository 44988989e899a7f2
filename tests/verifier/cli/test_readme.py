"""What the README and the pages of the example programs tell a stranger to type works, in that order."""

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


@pytest.mark.parametrize("page", ["token", "vault", "escrow", "auction"])
def test_every_command_of_a_program_page_works_in_order(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / f"docs/programs/{page}.md").read_text()
    typed = commands(text)
    assert len(typed) > 3
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for name in ("alice", "bob", "carol"):
        assert run_command("wallet", "new", name, "--height", 8).code == 0
    (sample,) = re.findall(r"`pegproof (sample .*?)`", text)
    assert run_command(*shlex.split(sample)).code == 0
    for arguments in typed:
        outcome = run_command(*arguments)
        assert outcome.code == 0, (arguments, outcome.err)
        if arguments[1] == "deploy" and page in arguments[3]:
            size, gas = re.findall(r"(\d+) instructions; deploying costs ([\d,]+) gas", text)[0]
            assert f"deploys {size} instructions" in outcome.out
            assert f"{4000 + 250 * int(size):,}" == gas
    done = run_command("execute", "my-batch", "--json").json
    assert done["failed"] == 0 and done["left_out"] == []
