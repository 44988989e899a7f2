"""What a user wants, before nonce, leaf and fee are known: payments, deployments, calls, key rotations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

from circuits.machine.abi import MAX_GAS
from circuits.rollup.books import fees_of
from circuits.rollup.cells import Purse
from circuits.rollup.types import (
    Call,
    Calls,
    Cosignature,
    Deploy,
    Rotate,
    Transaction,
    Transfer,
    Withdraw,
    withdraw_script,
)
from circuits.xmss.wallet import KeyState

GAS_SHARE = 4
"""The gas limit chosen for calls: what they use now, and one part in so many more."""


@dataclass(frozen=True)
class Setting:
    """Where a transaction is made.

    Attributes:
        cell: The paying purse.
        purse: The same, after the batch's earlier transactions.
        leaf: That will sign.
        base_fee: Msat per gas.
        l1_rate: Msat per published byte.
    """

    cell: int
    purse: Purse
    leaf: int
    base_fee: int
    l1_rate: int

    def most(self, tx: Transaction) -> int:
        """Most that a transaction can be charged at today's rates, msat."""
        return sum(fees_of(tx, self.base_fee, self.l1_rate))


@dataclass(frozen=True, kw_only=True)
class Order(ABC):
    """A wish, which becomes an unsigned transaction.

    Attributes:
        tip: Msat per gas.
        max_fee: Most that may be charged, msat; None for twice today's fee.
        amount: What leaves the purse besides the fee, as far as the order itself says, msat.
        cosignatures: Answers to CHECKSIGs.
        rotates: Whether leaves may sign that are kept for rotations.
    """

    rotates: ClassVar[bool] = False
    tip: int = 0
    max_fee: int | None = None
    amount: int = 0
    cosignatures: tuple[Cosignature, ...] = ()

    def transaction(self, setting: Setting) -> Transaction:
        """The transaction with its maximum fee, unsigned."""
        tx = self.unpriced(setting)
        return replace(tx, max_fee=2 * setting.most(tx) if self.max_fee is None else self.max_fee)

    @abstractmethod
    def unpriced(self, setting: Setting) -> Transaction:
        """The transaction with any maximum fee."""


@dataclass(frozen=True, kw_only=True)
class Payment(Order):
    """A transfer of `amount` to cell `to`, or a withdrawal to the scriptPubKey `script` where that is None."""

    to: int | None
    script: bytes = b""

    def unpriced(self, setting: Setting) -> Transaction:
        """As `Order`."""
        cell, nonce, leaf = setting.cell, setting.purse.nonce, setting.leaf
        if self.to is not None:
            return Transfer(cell, nonce, leaf, self.to, self.amount, 0, self.tip)
        script, length = withdraw_script(self.script)
        return Withdraw(cell, nonce, leaf, self.amount, 0, script, length, self.tip)


@dataclass(frozen=True, kw_only=True)
class Deployment(Order):
    """A program, as code words."""

    code: tuple[int, ...]

    def unpriced(self, setting: Setting) -> Transaction:
        """As `Order`."""
        return Deploy(setting.cell, setting.purse.nonce, setting.leaf, self.code, 0, self.tip)


@dataclass(frozen=True, kw_only=True)
class CallList(Order):
    """An atomic list of calls; a gas limit of None is chosen by trying them."""

    calls: tuple[Call, ...]
    gas_limit: int | None

    def unpriced(self, setting: Setting) -> Transaction:
        """As `Order`; without a gas limit, with the largest."""
        limit = MAX_GAS if self.gas_limit is None else self.gas_limit
        return Calls(setting.cell, setting.purse.nonce, setting.leaf, self.calls, limit, 0, self.tip)

    def limited(self, gas: int, setting: Setting) -> CallList:
        """The order with this gas limit, or the largest that the purse and the maximum fee can pay."""
        tx = replace(self, gas_limit=0).unpriced(setting)
        means = min(setting.purse.balance, setting.purse.balance if self.max_fee is None else self.max_fee)
        affordable = max(0, means - setting.most(tx)) // (setting.base_fee + self.tip)
        return replace(self, gas_limit=min(gas, MAX_GAS, affordable))


@dataclass(frozen=True, kw_only=True)
class Rotation(Order):
    """The purse for another key of the same wallet; leaves that the key has used do not count again."""

    rotates: ClassVar[bool] = True
    key: KeyState

    def unpriced(self, setting: Setting) -> Transaction:
        """As `Order`."""
        owner, first = self.key.public_key.owner(), self.key.next_leaf
        return Rotate(setting.cell, setting.purse.nonce, setting.leaf, owner, 0, self.tip, first)
