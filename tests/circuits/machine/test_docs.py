"""The tables in docs/ are those of the code."""

from __future__ import annotations

from pathlib import Path

from circuits.machine.abi import CALLS
from circuits.machine.isa import Opcode

DOCS = Path(__file__).parents[3] / "docs"


def test_system_calls_are_documented_with_their_gas() -> None:
    text = (DOCS / "user-programs.md").read_text()
    for call, signature in CALLS.items():
        arguments, results = ", ".join(signature.arguments), ", ".join(signature.results)
        assert f"| {call.value} {call.name} | {signature.gas} | {arguments} | {results} |" in text


def test_every_instruction_is_documented() -> None:
    text = (DOCS / "machine.md").read_text() + (DOCS / "user-programs.md").read_text()
    for op in Opcode:
        assert f"{op.name}" in text
    for op in (Opcode.HASH, Opcode.LOAD, Opcode.HALT, Opcode.PACK):
        assert f"| {op.value} {op.name} |" in text
