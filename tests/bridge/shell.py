"""Commands of the bridge over role directories below one home, and what they must leave alone."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from verifier.cli.main import cli


class Shell:
    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, command: str, role: str, *more: object) -> Any:
        """What a command prints as JSON; its exit code is 1 exactly where that is an error."""
        arguments = ["bridge", command, str(self.home / role), *map(str, more), "--json"]
        outcome = CliRunner().invoke(cli, arguments)
        assert outcome.exception is None or isinstance(outcome.exception, SystemExit), outcome.exception
        assert outcome.exit_code in (0, 1), outcome.output
        out = json.loads(outcome.output)
        assert ("error" in out) == (outcome.exit_code == 1)
        return out

    def works(self, command: str, role: str, *more: object) -> Any:
        out = self(command, role, *more)
        assert "error" not in out, out
        return out

    def done(self, command: str, role: str, *more: object) -> list[str]:
        """Runs a command, then mines a block."""
        out = self.works(command, role, *more)
        self("mine", "node", 1)
        return [each["name"] for each in out["sent"]] if isinstance(out["sent"], list) else [out["sent"]]

    def refused(self, command: str, role: str, *more: object) -> dict[str, str]:
        """The error of a command that must change no role's directory, and send nothing."""
        before, waiting = self.state(), self.waiting()
        out = self(command, role, *more)
        assert "error" in out, out
        assert out["error"]["message"]
        assert self.state() == before
        assert self.waiting() == waiting
        return out["error"]

    def refusal(self, command: str, role: str, *more: object) -> str:
        return self.refused(command, role, *more)["reason"]

    def state(self) -> dict[str, bytes]:
        """Every byte of every role's directory; the node's is the chain's."""
        files = (path for path in sorted(self.home.rglob("*")) if path.is_file())
        return {
            str(path.relative_to(self.home)): sha256(path.read_bytes()).digest()
            for path in files
            if "node" not in path.relative_to(self.home).parts
        }

    def waiting(self) -> bytes:
        """Blocks and mempool of the node."""
        node = self.home / "node"
        return b"".join(
            (node / name).read_bytes() for name in ("blocks.dat", "mempool.dat") if (node / name).exists()
        )

    def sample(self, case: str = "honest") -> Path:
        """A proof file."""
        path = self.home / f"{case}.proof"
        if not path.exists():
            self.works("sample", "operator", path, "--case", case)
        return path

    def copy(self, path: Path) -> Shell:
        return Shell(Path(shutil.copytree(self.home, path)))


def funded(home: Path) -> Shell:
    """A slot of the small tree with a vault."""
    made = Shell(home)
    out = made.works("setup", ".")
    assert (out["nodes"], out["leaves"], out["playable"]) == (7, 7, True)
    assert made.done("pegin", "user") == ["deposit"]
    assert made.done("pegin", "user") == ["pegin"]
    return made
