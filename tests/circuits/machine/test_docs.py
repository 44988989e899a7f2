"""The tables in docs/ are those of the code; what the pages say in numbers is what the code has."""

from __future__ import annotations

import dataclasses
import re

from circuits.machine.abi import (
    CALLS,
    GAS_CALL,
    GAS_CALLS,
    GAS_LOADED_WORD,
    MAX_CALLS,
    MAX_GAS,
    Call,
    Context,
)
from circuits.machine.code import MAX_CODE_LENGTH
from circuits.machine.isa import MULDIV_GAS, STEP_GAS, Opcode
from circuits.machine.manual import CONTEXTS, INSTRUCTIONS, tables
from circuits.rollup import params
from circuits.rollup.public_values import PublicValues
from circuits.statement import NUM_PUBLIC_VALUES, system
from tests.circuits.machine.docs import MACHINE, marks, with_tables

STATEMENT = MACHINE.parent / "statement.md"


def test_tables_are_those_of_the_code() -> None:
    """A change on purpose: `python -m tests.circuits.machine.docs`."""
    text = MACHINE.read_text()
    assert sorted(marks(text)) == sorted(tables())
    assert with_tables(text) == text


def test_every_instruction_call_and_context_is_described() -> None:
    assert list(INSTRUCTIONS) == list(Opcode)
    assert set(CALLS) == set(Call) and set(CONTEXTS) == set(Context)


def test_prices_of_transactions_are_those_of_the_rules() -> None:
    text = MACHINE.read_text()
    for row in (
        f"| 0 transfer | {params.GAS_TRANSFER} | {params.BYTES_TRANSFER} |",
        f"| 1 withdraw | {params.GAS_WITHDRAW} | {params.BYTES_WITHDRAW} |",
        f"| 2 rotate | {params.GAS_ROTATE} | {params.BYTES_ROTATE} |",
        f"| 3 deploy | {params.GAS_DEPLOY:,} + {params.GAS_DEPLOY_WORD} an instruction | "
        f"{params.BYTES_DEPLOY} + 8 an instruction |",
        f"| 4 calls | {GAS_CALLS} + {GAS_CALL} a call + {GAS_LOADED_WORD} an instruction of each called program + "
        f"{STEP_GAS} a step (MULDIV {STEP_GAS + MULDIV_GAS}) + the system calls' | "
        f"{params.BYTES_CALL} + {params.BYTES_CALL} a call |",
    ):
        assert row in text
    assert f"1..{MAX_CODE_LENGTH}" in text and f"1..{MAX_CALLS}" in text and f"{MAX_GAS:,}" in text
    assert f"T = {params.GAS_TARGET:,}" in text


def test_every_public_value_is_explained() -> None:
    text = STATEMENT.read_text()
    assert f"{NUM_PUBLIC_VALUES} field elements" in text
    explained = set(re.findall(r"`(\w+)`", text.split("## Nothing else")[0]))
    assert {field.name for field in dataclasses.fields(PublicValues)} <= explained


def test_constraints_and_relations_that_the_statement_names_exist() -> None:
    labels = {c.label for air in system().airs for c in air.record.constraints}
    labels |= {i.label for air in system().airs for i in air.record.interactions}
    named = set(
        re.findall(r"`((?:cpu|memory|cells|code|add|muldiv|word)\.\w+(?:\[\w+\])?)`", STATEMENT.read_text())
    )
    assert len(named) > 10
    known = labels | {re.sub(r"\[.*\]", "", label) for label in labels}
    assert named <= known
