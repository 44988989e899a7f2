"""The ledger between batches: its cells and the tree over them. Immutable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from circuits.machine.abi import Call
from circuits.machine.code import check_code
from circuits.machine.errors import AssemblerError
from circuits.rollup.cells import Cell, HookCell, InboxCell, ProgramCell, Purse, SystemCell
from circuits.rollup.errors import CodecError, CodecReason
from circuits.rollup.hashing import code_digest, columns_digests, leaf_digests
from circuits.rollup.params import (
    BASE_FEE_PURSE,
    CELL_LIMIT,
    DATA_FEE_PURSE,
    FIRST_FREE_CELL,
    HOOK_CELLS,
    INBOX_CELL,
    MAX_SUPPLY,
    ROTATION_NONCE_LIMIT,
    SYSTEM_CELL,
)
from circuits.rollup.tree import SparseTree, TreeUpdate, state_tree
from circuits.rollup.words import ZERO_DIGEST, Digest

Code = tuple[int, ...]
"""A program's instructions as u64 words."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Cells by index (empty ones absent), the state tree over them, and the code of programs by its hash."""

    cells: Mapping[int, Cell]
    tree: SparseTree
    codes: Mapping[Digest, Code] = field(default_factory=dict)

    @classmethod
    def of_cells(cls, cells: Mapping[int, Cell], codes: Iterable[Code] = ()) -> Ledger:
        """The ledger of these cells; `codes` are those of its program cells.

        Cells 0 to 3 must be what they are for, the supply the sum of the BTC purses, and no nonce more than
        2^30 above its purse's next leaf: each signature takes one of both, leaves stay below 2^30, and a purse
        that has a nonce above 2^30 cannot rotate. So a nonce never leaves 32 bits. Code must be what a deployment
        could have put there: else a call of it has no trace, or is too cheap.

        Raises:
            CodecError: RANGE, KIND, LENGTH or NOT_CANONICAL.
        """
        for index, cell in cells.items():
            if not 0 <= index < CELL_LIMIT:
                raise CodecError(CodecReason.RANGE, f"cell {index}", f"below {CELL_LIMIT}")
            cell.check()
            if isinstance(cell, Purse) and cell.nonce > cell.next_leaf + ROTATION_NONCE_LIMIT:
                most = cell.next_leaf + ROTATION_NONCE_LIMIT
                raise CodecError(CodecReason.RANGE, f"cell {index}: nonce", f"at most {most}", cell.nonce)
        by_hash = MappingProxyType({code_digest(code): code for code in codes})
        for index, cell in cells.items():
            if isinstance(cell, ProgramCell) and cell.code_hash in by_hash:
                _check_program(index, cell, by_hash[cell.code_hash])
        ledger = cls(MappingProxyType(dict(cells)), state_tree(leaves_of(cells)), by_hash)
        for index, kind in ((SYSTEM_CELL, SystemCell), (INBOX_CELL, InboxCell)):
            if not isinstance(cells.get(index), kind):
                raise CodecError(CodecReason.KIND, f"cell {index}", kind.__name__)
        for index in (BASE_FEE_PURSE, DATA_FEE_PURSE):
            if ledger.btc_purse(index) is None:
                raise CodecError(CodecReason.KIND, f"cell {index}", "BTC purse")
        for index, cell in cells.items():
            if isinstance(cell, HookCell):
                _check_hook(index, cell, cells)
        last, next_free = max(cells), ledger.system.next_free
        if (
            last >= next_free
        ):  # a new purse would be made over a live cell, which has no trace: the inbox would stall
            raise CodecError(CodecReason.RANGE, f"cell {last}", f"below the next free cell {next_free}")
        if ledger.total_btc() != ledger.system.supply:
            raise CodecError(CodecReason.RANGE, "supply", ledger.total_btc(), ledger.system.supply)
        if ledger.system.supply > MAX_SUPPLY:
            raise CodecError(CodecReason.RANGE, "supply", f"at most {MAX_SUPPLY}", ledger.system.supply)
        return ledger

    @property
    def root(self) -> Digest:
        """The state root; shape (8,)."""
        return self.tree.root

    @property
    def system(self) -> SystemCell:
        """Cell 0."""
        cell = self.cells[SYSTEM_CELL]
        if not isinstance(cell, SystemCell):
            raise CodecError(CodecReason.KIND, "cell 0", "SystemCell", type(cell).__name__)
        return cell

    @property
    def inbox(self) -> InboxCell:
        """Cell 1."""
        cell = self.cells[INBOX_CELL]
        if not isinstance(cell, InboxCell):
            raise CodecError(CodecReason.KIND, "cell 1", "InboxCell", type(cell).__name__)
        return cell

    def btc_purse(self, index: int) -> Purse | None:
        """The BTC purse in a cell, if there is one."""
        cell = self.cells.get(index)
        return cell if isinstance(cell, Purse) and cell.is_btc else None

    def total_btc(self) -> int:
        """Sum of all BTC purses in msat: equal to the supply, always."""
        return sum(cell.balance for cell in self.cells.values() if isinstance(cell, Purse) and cell.is_btc)

    def advance(
        self, cells: Mapping[int, Cell], update: TreeUpdate, codes: Mapping[Digest, Code] | None = None
    ) -> Ledger:
        """The ledger with some cells replaced and code added; `update` is the tree's part of it."""
        known = MappingProxyType({**self.codes, **codes}) if codes else self.codes
        return Ledger(MappingProxyType({**self.cells, **cells}), self.tree.advance(update), known)


def _check_program(index: int, cell: ProgramCell, code: Code) -> None:
    if cell.length != len(code):
        raise CodecError(CodecReason.LENGTH, f"cell {index}: code", len(code), cell.length)
    try:
        check_code(code, min(Call).address, max(Call).address)
    except AssemblerError as error:
        raise CodecError(CodecReason.NOT_CANONICAL, f"cell {index}: code", got=str(error)) from error


def _check_hook(index: int, cell: HookCell, cells: Mapping[int, Cell]) -> None:
    if index not in HOOK_CELLS or not isinstance(cells.get(cell.program), ProgramCell):
        expected = f"in cells {HOOK_CELLS.start} to {HOOK_CELLS.stop - 1}, and a program's cell"
        raise CodecError(CodecReason.KIND, f"cell {index}: hook", expected, cell.program)


def leaves_of(cells: Mapping[int, Cell] | Mapping[int, Cell | None]) -> dict[int, Digest]:
    """Leaf digests by index."""
    return dict(zip(cells, columns_digests(leaf_digests(list(cells.values()))), strict=True))


def genesis_cells(
    chain_id: int,
    base_fee: int,
    *,
    fee_owner: Digest = ZERO_DIGEST,
    next_free: int = FIRST_FREE_CELL,
    supply: int = 0,
) -> dict[int, Cell]:
    """Cells 0 to 3 of a new chain: an empty inbox and two empty fee purses.

    Args:
        chain_id: u32.
        base_fee: Msat per gas.
        fee_owner: Owner of the fee purses; 0^8 (the default) can sign nothing.
        next_free: First cell that will be handed out; at least 16.
        supply: Sum of the balances that will be put beside them, in msat.
    """
    return {
        SYSTEM_CELL: SystemCell(chain_id, 0, supply, 0, next_free, base_fee, 0),
        INBOX_CELL: InboxCell(),
        BASE_FEE_PURSE: Purse(fee_owner),
        DATA_FEE_PURSE: Purse(fee_owner),
    }
