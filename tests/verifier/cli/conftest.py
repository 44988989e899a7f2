"""One sample, one proof, shared; and a way to run commands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from verifier.cli.main import cli

TRANSFERS = 6


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        assert len(self.out.strip().splitlines()) == 1, self.out
        return dict(json.loads(self.out))


Run = Callable[..., Outcome]


def run_command(*arguments: object) -> Outcome:
    result = CliRunner().invoke(cli, [str(a) for a in arguments], prog_name="pegproof")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def run() -> Run:
    return run_command


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with wallet `wallet`, sample `batch` and proof `proof`; not to be changed."""
    root = tmp_path_factory.mktemp("cli")
    for arguments in (
        ("wallet", "new", root / "wallet", "--seed", "11" * 32, "--height", "8"),
        (
            "sample",
            "--transfers",
            TRANSFERS,
            "--seed",
            3,
            "--out",
            root / "batch",
            "--wallet",
            root / "wallet",
        ),
        ("prove", root / "batch", "-o", root / "proof", "--json"),
    ):
        outcome = run_command(*arguments)
        assert outcome.code == 0, outcome
    return root


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    """A copy of `made` that a test may change."""
    return Path(shutil.copytree(made, tmp_path / "copy"))
