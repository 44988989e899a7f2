"""Put a chain's genesis together: programs in known cells, hooks, the owners of the fee purses, accounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from circuits.machine.abi import BOOK
from circuits.machine.program import Program
from circuits.programs import staking
from circuits.rollup.cells import Cell, DataCell, HookCell, ProgramCell, Purse, SystemCell, owner_cell
from circuits.rollup.hashing import code_digest
from circuits.rollup.ledger import Code, Ledger, genesis_cells
from circuits.rollup.params import BASE_FEE_PURSE, DATA_FEE_PURSE, FIRST_FREE_CELL, HOOK_CELLS, SYSTEM_CELL
from circuits.rollup.words import ZERO_DIGEST, Digest


class Genesis:
    """Cells so far, handed out from 16 on.

    Attributes:
        cells: By index.
        codes: Of the programs.
        next_free: The next cell.
    """

    def __init__(self, chain_id: int, base_fee: int) -> None:
        self.cells: dict[int, Cell] = genesis_cells(chain_id, base_fee)
        self.codes: list[Code] = []
        self.next_free = FIRST_FREE_CELL

    def add(self, cell: Cell) -> int:
        """Put a cell at the next index, which is returned."""
        self.cells[self.next_free] = cell
        self.next_free += 1
        return self.next_free - 1

    def program(self, build: Callable[[int], Program]) -> int:
        """A program, which may depend on its own cell, and its book behind; the cell."""
        cell = self.next_free
        code = tuple(build(cell).encode())
        self.codes.append(code)
        self.add(ProgramCell(code_digest(code), len(code)))
        if self.add(DataCell(cell, (0, 0, 0, 0))) != cell + BOOK:
            raise ValueError("a program's book stands behind it")
        return cell

    def extend(self, cells: Mapping[int, Cell]) -> None:
        """Put cells where they say, behind all others."""
        if min(cells) < self.next_free:
            raise ValueError(f"cell {min(cells)} is taken")
        self.cells.update(cells)
        self.next_free = max(cells) + 1

    def hook(self, program: int) -> None:
        """The program runs before the first transaction of each batch.

        Raises:
            ValueError: There are three already.
        """
        for index in HOOK_CELLS:
            if index not in self.cells:
                self.cells[index] = HookCell(program)
                return
        raise ValueError(f"{len(HOOK_CELLS)} hooks at most")

    def staking(self, rules: staking.Rules, fund_owner: Digest) -> staking.Layout:
        """The staking program as a hook and owner of the fee purses; where its cells are.

        Raises:
            ValueError: There is one: without the fee purses its hook would fail, and the chain stop.
        """
        if any(self.cells[purse] != Purse(ZERO_DIGEST) for purse in (BASE_FEE_PURSE, DATA_FEE_PURSE)):
            raise ValueError("the fee purses have an owner: one staking program a chain")
        program = self.program(lambda cell: staking.build(cell, rules))
        layout = staking.Layout(program, rules.depth)
        self.extend(layout.cells(fund_owner))
        self.hook(program)
        for purse in (BASE_FEE_PURSE, DATA_FEE_PURSE):
            self.cells[purse] = Purse(owner_cell(program))
        return layout

    def ledger(self) -> Ledger:
        """The ledger of batch 0; its supply is the sum of the BTC purses."""
        supply = sum(c.balance for c in self.cells.values() if isinstance(c, Purse) and c.is_btc)
        system = self.cells[SYSTEM_CELL]
        if not isinstance(system, SystemCell):
            raise TypeError("cell 0 is the system's")
        cells = {**self.cells, SYSTEM_CELL: replace(system, supply=supply, next_free=self.next_free)}
        return Ledger.of_cells(cells, self.codes)
