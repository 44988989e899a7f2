"""The walk-through of docs/bridge.md: a person's commands from setup to the last take, with what they print."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from verifier.cli.main import cli

PAGE = Path(__file__).parents[2] / "docs" / "bridge.md"
FRAME = re.compile(r"[│┃━─┏┓└┘┡┩╇┳┴]")
MOVES = {
    *("setup", "pegin", "kickoff", "challenge", "assert", "open"),
    *("reveal", "close", "disprove", "take", "status"),
}


def lines() -> list[tuple[str, list[str]]]:
    """Commands of the page's console blocks, each with the lines that are shown of what it prints."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


@pytest.mark.slow
def test_the_page_tells_what_the_commands_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = []
    for command, shown in lines():
        program, *arguments = shlex.split(command)
        if program == "cp":
            assert arguments[0] == "-r"
            shutil.copytree(*arguments[1:])
            continue
        assert program == "pegproof"
        outcome = CliRunner(env={"COLUMNS": "200"}).invoke(cli, arguments)
        refused = any(line.startswith("Error: ") for line in shown)
        assert outcome.exit_code == refused, f"{command}: {outcome.output}"
        printed = " ".join(FRAME.sub(" ", outcome.output).split())
        at = 0
        for line in shown:
            at = printed.find(line, at)
            assert at >= 0, f"{command}: no {line!r} in {printed!r}"
            at += len(line)
        done.append(arguments[1])
    assert set(done) >= MOVES
