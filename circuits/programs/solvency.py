"""Where all BTC of a ledger is: every msat of the supply, by who may move it (R8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from circuits.rollup.cells import OWNED_BY_CELL, ProgramCell, Purse
from circuits.rollup.ledger import Ledger
from circuits.rollup.params import BASE_FEE_PURSE, DATA_FEE_PURSE
from circuits.rollup.public_values import PublicValues

ACCOUNTS = "accounts"
FEES = "fee purses"


@dataclass(frozen=True, slots=True)
class Solvency:
    """The vault against all that is owed.

    Attributes:
        held: Sum of BTC purses by kind: accounts, fee purses, each program by its name.
        supply: What the public values say; at genesis the system cell.
        exits: Withdrawn in the batch: owed on Bitcoin, no longer on the ledger.

    Units: msat.
    """

    held: Mapping[str, int]
    supply: int
    exits: int

    @property
    def vault(self) -> int:
        """What must be locked on Bitcoin while the batch's exits are pending."""
        return self.supply + self.exits

    @property
    def difference(self) -> int:
        """Vault less everything owed; 0, always."""
        return self.vault - sum(self.held.values()) - self.exits


def solvency(ledger: Ledger, values: PublicValues | None, names: Mapping[int, str]) -> Solvency:
    """Add up a ledger, and hold it against what a proof says: public values, not the ledger's own count.

    It is added up by who may move it. Whether a program holds what it has promised is its model's matter.

    Args:
        ledger: After the batch.
        values: Of the batch that led there; None at genesis.
        names: Of programs, by their cell; others are told by the cell.
    """
    held: dict[str, int] = {ACCOUNTS: 0, FEES: 0}
    for index, cell in ledger.cells.items():
        if isinstance(cell, Purse) and cell.is_btc:
            kind = _kind(ledger, index, cell, names)
            held[kind] = held.get(kind, 0) + cell.balance
    if values is None:
        return Solvency(held, ledger.system.supply, 0)
    return Solvency(held, values.supply_after, values.withdrawals)


def implied(before: int, values: PublicValues) -> int:
    """What the supply differs from the one before, deposits and withdrawals apart, by the public values: 0, always.

    Args:
        before: The supply that the batch before has left; not what these public values say of it.
        values: Of the batch.
    """
    return values.supply_after - (before + values.deposits - values.withdrawals)


def _kind(ledger: Ledger, index: int, purse: Purse, names: Mapping[int, str]) -> str:
    if index in (BASE_FEE_PURSE, DATA_FEE_PURSE):
        return FEES
    if purse.owner[4:] != OWNED_BY_CELL:
        return ACCOUNTS
    owner = purse.owner[0] | purse.owner[1] << 16
    if not isinstance(ledger.cells.get(owner), ProgramCell):
        return ACCOUNTS
    return names.get(owner, f"program {owner}")
