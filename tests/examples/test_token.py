"""The token: who may mint, open, burn; its book."""

from __future__ import annotations

from circuits.rollup.cells import owner_cell
from circuits.rollup.errors import FailureReason
from circuits.rollup.types import Call
from examples.programs import token
from tests.circuits.rollup.builders import ALICE, BOB
from tests.examples.chain import Chain


def world() -> tuple[Chain, int, int]:
    chain = Chain()
    program = chain.deploy(ALICE, token.build(ALICE))
    receipt = chain.succeed(BOB, token.open_purse(program, BOB))
    assert receipt.events[0].values[:2] == (token.OPENED, BOB)
    return chain, program, receipt.events[0].values[2]


def test_owner_mints_holder_moves_and_burns() -> None:
    chain, program, purse = world()
    assert chain.purse(purse).owner == owner_cell(BOB)
    assert chain.purse(purse).asset == program
    chain.succeed(ALICE, token.mint(program, purse, 1000))
    assert chain.balance(purse) == 1000
    assert chain.data(program + 1)[0] == 1000
    sink = chain.succeed(ALICE, token.open_purse(program, program)).events[0].values[2]
    chain.succeed(BOB, Call.bank_move(purse, sink, 400), token.burn(program, sink, 400))
    assert (chain.balance(purse), chain.balance(sink), chain.data(program + 1)[0]) == (600, 0, 600)


def test_only_the_owner_mints() -> None:
    chain, program, purse = world()
    assert chain.fail(BOB, token.mint(program, purse, 1)).failure is FailureReason.FAIL


def test_burning_takes_no_ones_tokens() -> None:
    chain, program, purse = world()
    chain.succeed(ALICE, token.mint(program, purse, 1000))
    assert chain.fail(ALICE, token.burn(program, purse, 1)).failure is FailureReason.SYSTEM_CALL


def test_supply_beyond_u64_is_a_fault() -> None:
    chain, program, purse = world()
    other = chain.succeed(BOB, token.open_purse(program, BOB)).events[0].values[2]
    chain.succeed(ALICE, token.mint(program, purse, 2**64 - 1))
    assert chain.fail(ALICE, token.mint(program, other, 1)).failure is FailureReason.FAULT


def test_unknown_selector_fails() -> None:
    chain, program, _ = world()
    assert chain.fail(ALICE, Call(program, 3)).failure is FailureReason.FAIL


def test_another_program_cannot_mint() -> None:
    chain, _, purse = world()
    forger = chain.deploy(ALICE, token.build(ALICE))
    assert chain.fail(ALICE, token.mint(forger, purse, 1)).failure is FailureReason.SYSTEM_CALL
