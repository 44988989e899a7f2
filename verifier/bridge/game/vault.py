"""Money in and out: deposit, refund, peg-in, vault, payout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from verifier.bitcoin.sighash import Sighash
from verifier.bitcoin.taproot import TaprootOutput, leaf_hash
from verifier.bitcoin.transaction import OutPoint, TxOut
from verifier.bridge.errors import BridgeError, BridgeReason
from verifier.bridge.game.params import Amounts, Windows
from verifier.bridge.game.scripts import committee_output, delayed_key
from verifier.bridge.game.template import Coin, Input, Signer, Template
from verifier.bridge.tree import Digits
from verifier.script.opcodes import Op
from verifier.script.script import P2A, push
from verifier.script.winternitz import from_nibbles

PAYOUT_TAG: Final = b"pegproof"
MAX_SLOT_NAME: Final = 32
"""Bytes: with tag, number and claim the note has 80, which every node relays."""


def deposit_output(committee: bytes, user: bytes, refund: int) -> TaprootOutput:
    """The committee moves it into a vault, or after `refund` blocks the user takes it back."""
    return committee_output(committee, leaf_hash(delayed_key(user, refund)))


@dataclass(frozen=True, slots=True)
class Deposit:
    """One deposit of the fixed denomination and the vault that it becomes.

    The user signs the deposit last: its txid is known before, and every take is signed by then.

    Attributes:
        name: of the vault.
        committee: P.
        user: the depositor's key.
        outpoint: of the deposit.
        refund_script: where a refund goes.
        windows: for the refund's delay.
        amounts: for denomination and fees.
    """

    name: str
    committee: bytes
    user: bytes
    outpoint: OutPoint
    refund_script: bytes
    windows: Windows
    amounts: Amounts

    @property
    def value(self) -> int:
        """What the user deposits: the denomination, and what the peg-in costs."""
        return (
            self.amounts.denomination + self.amounts.free_anchor + self.amounts.fee(self._draft(0).max_vbytes)
        )

    @property
    def coin(self) -> Coin:
        """The deposit."""
        return self._coin(self.value)

    @property
    def vault(self) -> Coin:
        """The vault after the peg-in."""
        return Coin(self.name, self.pegin().tx.outpoint(0), self.amounts.denomination, self._vault_output)

    def pegin(self) -> Template:
        """Deposit to vault."""
        return self._draft(self.value)

    def refund(self) -> Template:
        """Deposit back to the user."""
        code = delayed_key(self.user, self.windows.refund)
        spend = Input(
            *(self.coin, self.windows.refund, Signer.USER, Sighash.DEFAULT, 0, leaf_hash(code)), len(code)
        )
        draft = Template(f"refund/{self.name}", 2, (spend,), (TxOut(0, self.refund_script),))
        value = draft.fee - self.amounts.fee(draft.max_vbytes)
        return replace(draft, outputs=(TxOut(value, self.refund_script),))

    @property
    def _vault_output(self) -> TaprootOutput:
        return committee_output(self.committee)

    def _coin(self, value: int) -> Coin:
        output = deposit_output(self.committee, self.user, self.windows.refund)
        return Coin(f"deposit {self.name}", self.outpoint, value, output)

    def _draft(self, value: int) -> Template:
        spend = Input(self._coin(value), 1, Signer.COMMITTEE, Sighash.DEFAULT)
        vault = TxOut(self.amounts.denomination, self._vault_output.script)
        outputs = (vault, TxOut(self.amounts.free_anchor, P2A))
        return Template(f"pegin/{self.name}", 3, (spend,), outputs)


def payout_outputs(
    script: bytes, sats: int, withdrawal: int, claim: Digits, slot: str
) -> tuple[TxOut, TxOut]:
    """What an operator pays to a user from its own purse, and what it will ask for it.

    Args:
        script: the user's.
        sats: the amount.
        withdrawal: which one.
        claim: of the statement under whose exit root the withdrawal lies; the slot's root commits the same.
        slot: whose vault the operator takes.

    Raises:
        BridgeError: SHAPE where the slot's name is too long to be told whole.
    """
    name = slot.encode()
    if len(name) > MAX_SLOT_NAME:
        raise BridgeError(BridgeReason.SHAPE, f"a slot's name of {len(name)} bytes")
    note = PAYOUT_TAG + withdrawal.to_bytes(8, "little") + from_nibbles(claim) + name
    return TxOut(sats, script), TxOut(0, bytes([Op.RETURN]) + push(note))
