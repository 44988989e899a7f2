"""A genesis that would stop its chain is not made."""

from __future__ import annotations

import pytest

from circuits.programs import staking, top
from circuits.programs.genesis import Genesis
from circuits.rollup.cells import DataCell, ProgramCell, Purse, owner_cell
from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.params import BASE_FEE_PURSE, DATA_FEE_PURSE
from tests.circuits.programs.test_election import RULES
from tests.circuits.programs.world import account
from tests.circuits.rollup.builders import key


def test_a_program_has_its_book_behind_and_the_supply_is_what_purses_hold() -> None:
    genesis = Genesis(7, 1)
    ann, bob = account(genesis, 5), account(genesis, 7)
    token = genesis.add(Purse(owner_cell(ann), 1000, asset=ann))
    program = genesis.program(lambda cell: top.build(ann))
    ledger = genesis.ledger()
    assert (ann, bob, token, program) == (16, 17, 18, 19)
    assert isinstance(ledger.cells[program], ProgramCell)
    assert ledger.cells[top.book(program)] == DataCell(program, (0, 0, 0, 0))
    assert (ledger.system.supply, ledger.system.next_free) == (12, program + 2)


def test_one_staking_program_owns_the_fee_purses() -> None:
    """The hook of another could not empty them, would fail at the first fee, and no batch would follow."""
    genesis = Genesis(7, 1)
    owner = key(account(genesis)).owner()
    layout = genesis.staking(RULES, owner)
    for purse in (BASE_FEE_PURSE, DATA_FEE_PURSE):
        assert genesis.cells[purse] == Purse(owner_cell(layout.program))
    with pytest.raises(ValueError, match="one staking program"):
        genesis.staking(RULES, owner)


def test_cells_that_are_taken_are_not_put_again() -> None:
    genesis = Genesis(7, 1)
    cell = account(genesis)
    with pytest.raises(ValueError, match=f"cell {cell} is taken"):
        genesis.extend({cell: Purse((0,) * 8)})


def test_three_hooks_at_most_and_each_a_program() -> None:
    genesis = Genesis(7, 1)
    ann = account(genesis)
    program = genesis.program(lambda cell: top.build(ann))
    for _ in range(3):
        genesis.hook(program)
    with pytest.raises(ValueError, match="3 hooks"):
        genesis.hook(program)
    genesis = Genesis(7, 1)
    genesis.hook(account(genesis))
    with pytest.raises(CodecError) as caught:
        genesis.ledger()
    assert caught.value.reason is CodecReason.KIND


@pytest.mark.parametrize("options", [{"penalty": 11, "deposit": 10}, {"penalty": -1}, {"round_slots": 0}])
def test_auctions_that_cannot_be_are_not_built(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="a penalty of at most the deposit"):
        top.build(16, **options)


def test_layouts_do_not_overlap() -> None:
    genesis = Genesis(7, 1)
    account(genesis)
    layout = genesis.staking(staking.Rules(depth=1), key(16).owner())
    cells = layout.cells(key(16).owner())
    assert min(cells) == top.book(layout.program) + 1 and max(cells) == layout.end - 1
    assert sorted(cells) == list(range(min(cells), layout.end))
    assert genesis.next_free == layout.end
